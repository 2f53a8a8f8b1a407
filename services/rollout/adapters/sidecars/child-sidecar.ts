/**
 * A sidecar as a child process: started, heard, watched, ended.
 *
 * Its standard input stays open and tells it that we live: it ends when the pipe does, even if we are killed. It has a
 * session of its own, so that Ctrl-C in a terminal reaches us alone and we end it in order.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { sim } from "@promptpo/contracts";
import { type Client, createClient, FleetError, type Logger } from "@promptpo/service-kit";
import { z } from "zod";
import { type HandshakeTerms, shakeHands } from "./shake-hands.ts";
import type { SidecarLink, SidecarSource } from "./sidecar-link.ts";

export interface ChildOptions {
  readonly name: string;
  readonly python: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly terms: Pick<HandshakeTerms, "timeoutMs" | "unconfined">;
  readonly log: Logger;
}

/** How long an ended sidecar may take to be gone before it is killed. */
const GRACE_MS = 3_000;
/** How long what it had printed before it ended may take to arrive. */
const LAST_WORDS_MS = 500;
const LAST_LINES = 3;
const LINE_CHARACTERS_MOST = 300;

const readyLine = z.object({ ready: z.literal(true), address: z.string(), pid: z.number() });
/** The sidecar's own log; libraries print whatever they like. */
const logLine = z.object({ level: z.string(), time: z.string().optional(), msg: z.string() }).loose();

export class ChildSidecar implements SidecarSource {
  readonly name: string;
  readonly #options: ChildOptions;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async open(signal: AbortSignal): Promise<SidecarLink> {
    const { name, terms } = this.#options;
    const child = new SidecarProcess(this.#options);
    let client: Client<sim.SimulatorService> | undefined;
    try {
      const timeout = AbortSignal.timeout(terms.timeoutMs);
      const address = await child.ready(AbortSignal.any([signal, timeout]));
      client = createClient(sim.SimulatorService, { target: address, unavailable: "SIDECAR_UNAVAILABLE" });
      const hello = await shakeHands(client, { ...terms, name, signal: AbortSignal.any([signal, child.gone]) });
      return linkTo(child, client, hello, address);
    } catch (error) {
      client?.close();
      child.kill();
      await child.exited;
      if (signal.aborted) throw signal.reason;
      throw child.explain(FleetError.from(error, "SIDECAR_UNAVAILABLE"));
    }
  }
}

function linkTo(
  child: SidecarProcess,
  client: Client<sim.SimulatorService>,
  hello: sim.HandshakeResponse,
  target: string,
): SidecarLink {
  return {
    hello,
    client,
    target,
    isOwn: true,
    gone: child.gone,
    abandon(why) {
      child.giveUp(why);
      child.kill();
    },
    async close() {
      client.close();
      child.process.stdin?.end();
      await Promise.race([child.exited, sleep(GRACE_MS, undefined, { ref: false })]);
      child.kill();
      await child.exited;
    },
  };
}

/** The process itself, without a word of grpc. */
class SidecarProcess {
  readonly process: ChildProcess;
  readonly exited: Promise<void>;
  readonly #name: string;
  readonly #log: Logger;
  readonly #gone = new AbortController();
  readonly #address = Promise.withResolvers<string>();
  readonly #lastLines: string[] = [];
  #hasEnded = false;

  constructor({ name, python, environment, log }: ChildOptions) {
    this.#name = name;
    this.#log = log.child({ sidecar: name });
    // -P: the working folder is no place to import from.
    this.process = spawn(python, ["-P", "-m", "promptpo.sim", "--listen", "127.0.0.1:0"], {
      env: { ...environment },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    // Writing to a process that has died is no news.
    this.process.stdin?.on("error", () => undefined);
    this.#address.promise.catch(() => undefined);
    this.exited = new Promise((resolve) => {
      const end = (why: string) => {
        this.#hasEnded = true;
        this.giveUp(why);
        setTimeout(resolve, LAST_WORDS_MS).unref();
      };
      this.process.once("error", (error) => end(`${python} can not be started: ${error.message}`));
      this.process.once("exit", (code, signal) =>
        end(signal === null ? `it exited with ${code}` : `${signal} ended it`),
      );
      this.process.once("close", () => resolve());
    });
    this.#hear();
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Its address, once it serves. */
  async ready(signal: AbortSignal): Promise<string> {
    const late = Promise.withResolvers<never>();
    const onAbort = () => late.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([this.#address.promise, late.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  giveUp(why: string): void {
    if (this.#gone.signal.aborted) return;
    const error = new FleetError("SIDECAR_UNAVAILABLE", `${this.#name}: ${why}`);
    this.#gone.abort(error);
    this.#address.reject(error);
  }

  /** With its worker: they are one process group. Policies end with the process that started them. */
  kill(): void {
    if (this.#hasEnded || this.process.pid === undefined) return;
    try {
      process.kill(-this.process.pid, "SIGKILL");
    } catch {
      // It ended in this moment.
    }
  }

  /** The error with what the process said last: a missing module is named there. */
  explain(error: FleetError): FleetError {
    if (!error.retryable && error.reason !== "DEADLINE_EXCEEDED") return error;
    const what = error.reason === "DEADLINE_EXCEEDED" ? `${this.#name} did not come up in time` : error.message;
    const said = this.#lastLines.length === 0 ? "" : `; it said last: ${this.#lastLines.join(" | ")}`;
    return new FleetError("SIDECAR_UNAVAILABLE", `${what}${said}`, { cause: error });
  }

  #hear(): void {
    const { stdout, stderr } = this.process;
    if (stdout !== null) {
      createInterface({ input: stdout }).on("line", (line) => {
        const parsed = readyLine.safeParse(parseJson(line));
        if (parsed.success) this.#address.resolve(parsed.data.address);
        else this.#log.debug({ line }, "the sidecar printed a line");
      });
    }
    if (stderr !== null) createInterface({ input: stderr }).on("line", (line) => this.#hearLog(line));
  }

  #hearLog(line: string): void {
    const parsed = logLine.safeParse(parseJson(line));
    if (!parsed.success) {
      this.#remember(line);
      this.#log.warn({ line }, "the sidecar printed a line");
      return;
    }
    const { level, time: _time, msg, ...said } = parsed.data;
    const problem = said["problem"] ?? said["error"];
    this.#remember(typeof problem === "string" ? `${msg}: ${problem}` : msg);
    this.#log[levelOf(level)]({ said }, msg);
  }

  #remember(line: string): void {
    this.#lastLines.push(line.slice(0, LINE_CHARACTERS_MOST));
    if (this.#lastLines.length > LAST_LINES) this.#lastLines.shift();
  }
}

function levelOf(word: string | undefined): "debug" | "info" | "warn" | "error" {
  switch (word?.toLowerCase()) {
    case "debug":
      return "debug";
    case "warn":
    case "warning":
      return "warn";
    case "error":
    case "critical":
    case "fatal":
      return "error";
    default:
      return "info";
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
