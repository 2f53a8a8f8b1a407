// One PostgreSQL server on loopback for the processes of this machine: starts it, watches it, starts it
// again when it dies, stops it with its owner. Durable: fsync stays on, and a SIGKILL of the server
// loses no acknowledged row. Refuses a folder that a living process already serves.
import type { ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { tryLockFolder } from "../folder-lock.mjs";
import { type FleetLog, silentLog } from "../log.ts";
import { FleetProblem } from "../problem.ts";
import { type Cluster, choosePort, logTail, openCluster, ROLE, spawnAs } from "./cluster.ts";
import type { Identity } from "./identity.ts";
import { stopLeftover } from "./leftover.ts";

/** A big log may have to be replayed after a crash; beyond this something else is wrong. */
const READY_TIMEOUT_MS = 60_000;
/** Longest pause between two attempts to bring a dead server back. */
const MAX_BACKOFF_MS = 5_000;

export interface EmbeddedPostgresOptions {
  /** Holds password, port, data and log; made when missing, open to its owner alone. */
  readonly folder: string;
  readonly log?: FleetLog;
  /** Ends the start; a server that is up is stopped by `stop()` alone. */
  readonly signal?: AbortSignal;
  /** Default 200: three services, their replicas and their pools. */
  readonly maxConnections?: number;
  /** Forces how root is avoided; for tests. Data keeps the way in which it was made. */
  readonly identity?: Identity["kind"];
  /** Called after each unasked-for end of the server, before it is started again. */
  readonly onExit?: (end: {
    readonly pid: number;
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
  }) => void;
  /** Called each time the server answers, first start included. */
  readonly onReady?: (pid: number) => void;
}

export interface EmbeddedPostgres extends AsyncDisposable {
  readonly folder: string;
  /** 127.0.0.1; the same for as long as this object lives. */
  readonly port: number;
  /** Of the postmaster that runs now; undefined while a dead one is being replaced. */
  readonly pid: number | undefined;
  /** Holds the password: for configuration, never for a log. */
  url(database: string): string;
  /** Does nothing when the database exists. Names: lower case letters, digits, underscores. */
  createDatabase(name: string): Promise<void>;
  /** Resolves once the server answers again (at once when it does). */
  ready(): Promise<void>;
  /** A clean, fast shutdown; twice is fine. */
  stop(): Promise<void>;
}

export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const folder = resolve(options.folder);
  const lock = tryLockFolder(folder, "owner", "embedded PostgreSQL");
  if (!lock.held) {
    throw new FleetProblem(
      `the database folder ${folder} is held by process ${lock.holder.pid} since ${lock.holder.since}`,
      `Use the fleet that is up, or stop it: kill ${lock.holder.pid}`,
    );
  }
  try {
    const cluster = await openCluster(folder, options.identity, options.signal);
    const leftover = await stopLeftover(cluster.dataFolder);
    if (leftover !== undefined)
      options.log?.warn({ pid: leftover.pid }, "stopped a database that a killed fleet had left running");
    const server = new Supervised(cluster, options, lock.release);
    await server.startFirst(options.signal);
    return server;
  } catch (error) {
    lock.release();
    throw error;
  }
}

class Supervised implements EmbeddedPostgres {
  readonly folder: string;
  port = 0;
  readonly #cluster: Cluster;
  readonly #options: EmbeddedPostgresOptions;
  readonly #log: FleetLog;
  readonly #releaseLock: () => void;
  readonly #stopping = new AbortController();
  #child: ChildProcess | undefined;
  #running: Promise<void> = Promise.resolve();
  #ready = Promise.withResolvers<void>();
  #stopped: Promise<void> | undefined;

  constructor(cluster: Cluster, options: EmbeddedPostgresOptions, releaseLock: () => void) {
    this.folder = cluster.folder;
    this.#cluster = cluster;
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#releaseLock = releaseLock;
    this.#ready.promise.catch(() => {}); // awaited by those who ask
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  url(database: string): string {
    return `postgres://${ROLE}:${this.#cluster.password}@127.0.0.1:${this.port}/${database}`;
  }

  ready(): Promise<void> {
    return this.#ready.promise;
  }

  async createDatabase(name: string): Promise<void> {
    if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) throw new Error(`not a database name: ${name}`);
    await this.ready();
    const client = new pg.Client({ connectionString: this.url("postgres") });
    await client.connect();
    try {
      const existing = await client.query("select 1 from pg_database where datname = $1", [name]);
      if (existing.rowCount === 0) await client.query(`create database "${name}"`);
    } catch (error) {
      // Somebody else was quicker: duplicate_database, or the unique index below it.
      const code = error instanceof pg.DatabaseError ? error.code : undefined;
      if (code !== "42P04" && code !== "23505") throw error;
    } finally {
      await client.end();
    }
  }

  /** Up or an error. A port that a stranger took in between costs one more attempt. */
  async startFirst(signal: AbortSignal | undefined): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.port = await choosePort(this.folder);
      const end = await this.#launch(signal);
      if (end === undefined) break;
      signal?.throwIfAborted();
      const tail = logTail(this.#cluster);
      if (attempt < 5 && /Address already in use/.test(tail)) continue;
      throw new FleetProblem(
        `PostgreSQL did not start (${end}):\n${tail}`,
        `See ${this.#cluster.logFile}; or set DATABASE_URL to a PostgreSQL server of your own (15 or newer).`,
      );
    }
    this.#running = this.#watch();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await stopLeftover(this.#cluster.dataFolder);
    this.#ready.reject(new Error("the embedded database was stopped"));
    this.#releaseLock();
  }

  /** Brings the server back for as long as nobody asked it to stop. */
  async #watch(): Promise<void> {
    const stopping = this.#stopping.signal;
    for (let failures = 0; ; ) {
      const child = this.#child;
      if (child !== undefined) {
        const ended = exitOf(child);
        const asked = new Promise<"asked">((resolve) => {
          if (stopping.aborted) resolve("asked");
          stopping.addEventListener("abort", () => resolve("asked"), { once: true });
        });
        const end = await Promise.race([ended, asked]);
        if (end === "asked") return;
        this.#child = undefined;
        if (!stopping.aborted) {
          this.#ready = Promise.withResolvers<void>();
          this.#ready.promise.catch(() => {});
        }
        this.#log.warn(
          { pid: child.pid, code: end.code, signal: end.signal },
          "the embedded database ended: starting it again",
        );
        this.#options.onExit?.({ pid: child.pid ?? 0, ...end });
      }
      if (stopping.aborted) return;
      if (failures > 0)
        await delay(Math.min(MAX_BACKOFF_MS, 50 * 2 ** failures), undefined, { signal: stopping }).catch(() => {});
      if (stopping.aborted) return;
      const failure = await this.#relaunch(stopping);
      if (failure === undefined) {
        failures = 0;
      } else {
        failures = Math.min(failures + 1, 10);
        this.#log.error(
          { cause: failure, log: this.#cluster.logFile },
          `the embedded database does not come up: ${failure}`,
        );
      }
    }
  }

  /** Nobody awaits the watch before `stop()`: whatever goes wrong here is told and tried again, never thrown. */
  async #relaunch(signal: AbortSignal): Promise<string | undefined> {
    if (!existsSync(this.#cluster.dataFolder))
      return `its data folder ${this.#cluster.dataFolder} is gone: stop the fleet and put the folder back`;
    try {
      await stopLeftover(this.#cluster.dataFolder);
      return await this.#launch(signal);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Starts a server and waits until it answers. Returns why it does not, or undefined. */
  async #launch(signal: AbortSignal | undefined): Promise<string | undefined> {
    const output = openSync(this.#cluster.logFile, "a", 0o600);
    let child: ChildProcess;
    try {
      child = spawnAs(this.#cluster, this.#cluster.binaries.postgres, this.#arguments(), {
        dieWithParent: true,
        output,
      });
    } finally {
      closeSync(output);
    }
    let end: string | undefined;
    child.once("error", (error) => {
      end = error.message;
    });
    child.once("exit", (code, by) => {
      end = `exit ${code ?? by}`;
    });
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (end === undefined && !signal?.aborted && performance.now() < deadline) {
      if (this.#saysReady(child.pid) && (await this.#answers())) {
        this.#child = child;
        this.#ready.resolve();
        this.#options.onReady?.(child.pid ?? 0);
        return undefined;
      }
      await delay(10);
    }
    if (end !== undefined) return end;
    if (child.pid !== undefined) {
      const ended = exitOf(child);
      child.kill("SIGQUIT");
      await ended;
    }
    return signal?.aborted ? "start was cancelled" : `no answer within ${READY_TIMEOUT_MS / 1000} s`;
  }

  #arguments(): string[] {
    const settings: Record<string, string | number> = {
      port: this.port,
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "", // a socket file in a folder open to all would be a second door
      max_connections: this.#options.maxConnections ?? 200,
      fsync: "on",
      synchronous_commit: "on",
      full_page_writes: "on",
      password_encryption: "scram-sha-256",
      log_statement: "none", // statements may carry prompts and answers
      log_min_error_statement: "panic",
      log_timezone: "UTC",
      timezone: "UTC",
    };
    return [
      "-D",
      this.#cluster.dataFolder,
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ];
  }

  /** The server writes its state into the eighth line of its pid file. */
  #saysReady(pid: number | undefined): boolean {
    try {
      const lines = readFileSync(join(this.#cluster.dataFolder, "postmaster.pid"), "utf8").split("\n");
      return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
    } catch {
      return false;
    }
  }

  async #answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.url("postgres"), connectionTimeoutMillis: 5_000 });
    client.on("error", () => {}); // a server that dies right now is seen by its exit
    try {
      await client.connect();
      await client.query("select 1");
      return true;
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === "28P01") {
        throw new FleetProblem(
          `the database refuses the password of ${join(this.folder, "password")}`,
          `Put the right file back, or remove ${this.folder} to begin with an empty database.`,
        );
      }
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  }
}

type End = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

function exitOf(child: ChildProcess): Promise<End> {
  if (child.exitCode !== null || child.signalCode !== null)
    return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  return new Promise((done) => child.once("exit", (code, signal) => done({ code, signal })));
}
