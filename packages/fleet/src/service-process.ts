// One service as a child process: started, watched until it serves, started again when it dies, ended with its owner. It has
// a process group of its own, so Ctrl-C in a terminal reaches the owner alone, which stops things in order; and it reads a
// pipe whose end means that the owner is gone.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { isServing } from "./health-check.ts";
import type { FleetLog } from "./log.ts";
import { FleetProblem } from "./problem.ts";

/** Simulators are imported and warmed up on two cores beside the other services. */
const SERVING_TIMEOUT_MS = 120_000;
const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 5_000;

export interface ServiceProcessOptions {
  readonly name: string;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** host:port on which it will serve. */
  readonly address: string;
  readonly logFile: string;
  readonly log: FleetLog;
  /** How long it may take to drain after SIGTERM. */
  readonly drainMs: number;
  /** Called after each start and each end, so that others can be told which process it is. */
  readonly onChange: (pid: number | undefined) => void;
}

export interface ServiceProcess {
  readonly name: string;
  /** Undefined while a dead one is being replaced. */
  readonly pid: number | undefined;
  /** SIGTERM, then SIGKILL once its drain time has passed. Twice is fine. */
  stop(): Promise<void>;
}

/** Resolves once it serves; a service that ends before that is a FleetProblem with the last lines of its log. */
export async function startServiceProcess(
  options: ServiceProcessOptions,
  signal?: AbortSignal,
): Promise<ServiceProcess> {
  const process = new Supervised(options);
  try {
    await process.startFirst(signal);
    return process;
  } catch (error) {
    await process.stop();
    throw error;
  }
}

class Supervised implements ServiceProcess {
  readonly name: string;
  readonly #options: ServiceProcessOptions;
  readonly #stopping = new AbortController();
  #child: ChildProcess | undefined;
  #watching: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  constructor(options: ServiceProcessOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async startFirst(signal: AbortSignal | undefined): Promise<void> {
    const child = this.#spawn();
    const outcome = await this.#untilServing(child, signal);
    if (outcome !== "serves") {
      signal?.throwIfAborted();
      throw new FleetProblem(
        `the ${this.name} service did not start (${outcome}):\n${logTail(this.#options.logFile)}`,
        `Its whole log: ${this.#options.logFile}`,
      );
    }
    this.#watching = this.#watch(child);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    const child = this.#child;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = exitOf(child);
      signalGroup(child.pid, "SIGTERM", true);
      const timer = new AbortController();
      const late = delay(this.#options.drainMs + 5_000, "late", { signal: timer.signal }).catch(() => "ended");
      if ((await Promise.race([ended.then(() => "ended"), late])) === "late") {
        this.#options.log.warn(
          { service: this.name, pid: child.pid },
          `the ${this.name} service does not drain: killing it`,
        );
        signalGroup(child.pid, "SIGKILL");
        await ended;
      }
      timer.abort();
      signalGroup(child.pid, "SIGKILL"); // what it started and did not take along
    }
    await this.#watching;
    this.#options.onChange(undefined);
  }

  /** Brings the service back for as long as nobody asked it to stop. */
  async #watch(first: ChildProcess): Promise<void> {
    const stopping = this.#stopping.signal;
    let failures = 0;
    for (let child = first; ; ) {
      const end = await exitOf(child);
      if (child.pid !== undefined) signalGroup(child.pid, "SIGKILL"); // what it started and did not take along
      this.#options.onChange(undefined);
      if (stopping.aborted) return;
      const pause = failures === 0 ? 0 : Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (failures - 1));
      this.#options.log.warn(
        { service: this.name, pid: child.pid, ...end },
        `the ${this.name} service ended (${end.code ?? end.signal}): starting it again${pause > 0 ? ` in ${pause} ms` : ""}`,
      );
      await delay(pause, undefined, { signal: stopping }).catch(() => {});
      if (stopping.aborted) return;
      child = this.#spawn();
      const outcome = await this.#untilServing(child, stopping);
      if (outcome === "serves") {
        failures = 0;
        this.#options.log.info({ service: this.name, pid: child.pid }, `the ${this.name} service is back`);
      } else {
        failures += 1;
        if (outcome === "silent" && child.pid !== undefined) signalGroup(child.pid, "SIGKILL");
      }
    }
  }

  #spawn(): ChildProcess {
    const output = openSync(this.#options.logFile, "a", 0o600);
    const [command = "", ...args] = this.#options.command;
    try {
      const child = spawn(command, args, {
        cwd: this.#options.cwd,
        env: this.#options.env,
        stdio: ["pipe", output, output],
        detached: true,
      });
      child.stdin?.on("error", () => {}); // it died: its exit says so
      child.on("error", () => {}); // seen as an exit without a pid
      this.#child = child;
      this.#options.onChange(child.pid);
      return child;
    } finally {
      closeSync(output);
    }
  }

  async #untilServing(child: ChildProcess, signal: AbortSignal | undefined): Promise<string> {
    if (child.pid === undefined) return "its program cannot be run";
    let end: string | undefined;
    void exitOf(child).then(({ code, signal: by }) => {
      end = `exit ${code ?? by}`;
    });
    const deadline = performance.now() + SERVING_TIMEOUT_MS;
    while (end === undefined && !signal?.aborted && performance.now() < deadline) {
      if (await isServing(this.#options.address)) return "serves";
      await delay(50);
    }
    return end ?? (signal?.aborted ? "cancelled" : "silent");
  }
}

type End = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

function exitOf(child: ChildProcess): Promise<End> {
  if (child.pid === undefined) return Promise.resolve({ code: 127, signal: null });
  if (child.exitCode !== null || child.signalCode !== null)
    return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  return new Promise((done) => child.once("exit", (code, signal) => done({ code, signal })));
}

function signalGroup(pid: number, signal: NodeJS.Signals, leaderOnly = false): void {
  try {
    process.kill(leaderOnly ? pid : -pid, signal);
  } catch {
    // Nothing of it is left.
  }
}

/** The last lines of a log, shortened: for an error message. */
function logTail(file: string, lines = 8): string {
  try {
    return readFileSync(file, "utf8")
      .trimEnd()
      .split("\n")
      .slice(-lines)
      .map((line) => line.slice(0, 500))
      .join("\n");
  } catch {
    return "";
  }
}
