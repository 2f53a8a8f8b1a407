// The whole fleet on this machine: database, gateway, rollout, optimizer, each on a loopback port of its own, supervised until
// `stop()`. One fleet a folder: whoever holds it is named. Leftovers of a killed fleet are ended first.
import { mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Databases, openDatabases } from "./databases.ts";
import { environmentFolders } from "./environment-folders.ts";
import { stopLeftoverServices } from "./fleet-leftovers.ts";
import {
  type FleetState,
  type Recording,
  readFleetState,
  SERVICES,
  type ServiceName,
  writeFleetState,
} from "./fleet-state.ts";
import { type FleetUser, fleetUsers } from "./fleet-users.ts";
import { tryLockFolder } from "./folder-lock.mjs";
import { type FleetLog, silentLog } from "./log.ts";
import { freePort } from "./ports.ts";
import { FleetProblem } from "./problem.ts";
import { processStart } from "./process-identity.mjs";
import { type Environment, serviceEnvironment } from "./service-environment.ts";
import { type ServiceProcess, startServiceProcess } from "./service-process.ts";
import { videoSettings } from "./video-settings.ts";

/** Nobody watches an embedded fleet drain for longer; a cluster's services have their own setting. */
const DRAIN_MS = 5_000;
const LOG_BYTES_MOST = 20 * 1024 * 1024;
const checkout = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

export interface FleetOptions {
  /** Databases, logs, artifacts, state; made when missing, open to its owner alone. */
  readonly folder: string;
  /** The command that owns the fleet, shown to whoever is refused. */
  readonly purpose: string;
  /** Where the gateway's answers are read from or written to; unset: a provider answers. */
  readonly recording?: Recording;
  /** The user's environment; default this process's. Filtered: each service gets what is its own. */
  readonly env?: Environment;
  /** Settings of single services that win over the environment's. */
  readonly settings?: Partial<Record<ServiceName, Environment>>;
  readonly log?: FleetLog;
  /** Called once the folder is ours, before anything is started. */
  readonly onStart?: () => void;
  /** Ends the start; a fleet that is up is stopped by `stop()` alone. */
  readonly signal?: AbortSignal;
}

export interface Fleet extends AsyncDisposable {
  readonly folder: string;
  /** host:port of each service's gRPC. */
  readonly addresses: Readonly<Record<ServiceName, string>>;
  /** host:port of each service's /metrics. */
  readonly metrics: Readonly<Record<ServiceName, string>>;
  readonly recording: Recording | undefined;
  /** True for a fleet that another process owns: `stop()` then only leaves it. */
  readonly joined: boolean;
  /** False once it is stopped, by us or by the process that owns it. */
  isUp(): boolean;
  /** Process id of each part that runs now. */
  pids(): Readonly<Record<string, number>>;
  /**
   * Resolves once no other process uses the fleet; from then on nobody can join. `onWait` hears who is waited for, once.
   * At once for a joined fleet.
   */
  untilUnused(signal?: AbortSignal, onWait?: (users: readonly FleetUser[]) => void): Promise<void>;
  /** Ends everything in order, whoever still uses it. Twice is fine. */
  stop(): Promise<void>;
}

/** A folder that another living process holds. */
export class FleetHeld extends FleetProblem {}

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const folder = resolve(options.folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = tryLockFolder(folder, "owner", options.purpose);
  if (!lock.held) {
    const { pid, since, purpose } = lock.holder;
    throw new FleetHeld(
      `the data folder ${folder} is held by process ${pid} (${purpose}) since ${since}`,
      `Wait for it or stop it (kill ${pid}), or name another folder: PROMPTPO_DATA=DIR`,
    );
  }
  const log = options.log ?? silentLog;
  options.onStart?.();
  let databases: Databases | undefined;
  const running: ServiceProcess[] = [];
  try {
    const before = readFleetState(folder);
    if (before !== undefined) await stopLeftoverServices(before, log);
    rmSync(join(folder, "fleet.json"), { force: true });
    options.signal?.throwIfAborted();
    const state = await freshState(options);
    databases = await openDatabases(folder, options.env ?? process.env, log, options.signal);
    await startServices(options, folder, state, databases, running);
    return new Owned(folder, state, databases, running, lock.release);
  } catch (error) {
    await stopInOrder(running, databases);
    rmSync(join(folder, "fleet.json"), { force: true });
    lock.release();
    throw error;
  }
}

async function freshState(options: FleetOptions): Promise<FleetState> {
  const start = processStart(process.pid);
  if (start === undefined) throw new Error("this process cannot read its own start time");
  const service = async () => ({ address: `127.0.0.1:${await freePort()}`, metrics: `127.0.0.1:${await freePort()}` });
  const recording = options.recording;
  return {
    version: 1,
    phase: "starting",
    owner: { pid: process.pid, start },
    since: new Date().toISOString(),
    purpose: options.purpose,
    ...(recording === undefined ? {} : { recording: { ...recording, folder: resolve(recording.folder) } }),
    services: { gateway: await service(), rollout: await service(), optimizer: await service() },
  };
}

async function startServices(
  options: FleetOptions,
  folder: string,
  state: FleetState,
  databases: Databases,
  running: ServiceProcess[],
): Promise<void> {
  const log = options.log ?? silentLog;
  const logs = join(folder, "logs");
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  writeFleetState(folder, state);
  // One that fails ends the others' start as well.
  const failed = new AbortController();
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal]);
  const outcomes = await Promise.allSettled(
    SERVICES.map(async (name) => {
      const logFile = join(logs, `${name}.log`);
      keepLogSmall(logFile);
      const env = serviceEnvironment(
        name,
        options.env ?? process.env,
        decided(name, options, folder, state, databases),
      );
      try {
        running.push(
          await startServiceProcess(
            {
              name,
              command: [process.execPath, join(checkout, "services", folderOf(name), "main.ts")],
              cwd: checkout,
              env,
              address: state.services[name].address,
              logFile,
              log,
              drainMs: Number(env["PROMPTPO_DRAIN_MS"] ?? DRAIN_MS),
              onChange: (pid) => {
                const start = pid === undefined ? undefined : processStart(pid);
                if (pid === undefined || start === undefined) delete state.services[name].process;
                else state.services[name].process = { pid, start };
                writeFleetState(folder, state);
              },
            },
            signal,
          ),
        );
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    }),
  );
  options.signal?.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  state.phase = "up";
  writeFleetState(folder, state);
}

const folderOf = (name: ServiceName): string => (name === "gateway" ? "llm-gateway" : name);

/** What the fleet decides for a service. */
function decided(
  name: ServiceName,
  options: FleetOptions,
  folder: string,
  state: FleetState,
  databases: Databases,
): Environment {
  const given = options.env ?? process.env;
  const own: Record<ServiceName, Environment> = {
    gateway: {
      PROMPTPO_RECORDING: state.recording?.folder,
      PROMPTPO_RECORDING_MODE: state.recording?.mode ?? "off",
    },
    rollout: {
      ...(given["MUJOCO_GL"] === undefined ? videoSettings(checkout).env : {}),
      PROMPTPO_PYTHON: given["PROMPTPO_PYTHON"] ?? join(checkout, ".promptpo", "venv", "bin", "python"),
      PROMPTPO_SIDECARS: given["PROMPTPO_SIDECARS"] ?? String(availableParallelism()),
      PROMPTPO_ARTIFACTS: join(folder, "artifacts"),
      PROMPTPO_ENVIRONMENTS: environmentFolders(given["PROMPTPO_ENVIRONMENTS"], process.cwd()),
    },
    optimizer: {
      PROMPTPO_GATEWAY: state.services.gateway.address,
      PROMPTPO_ROLLOUT: state.services.rollout.address,
    },
  };
  return {
    PROMPTPO_LISTEN: state.services[name].address,
    PROMPTPO_METRICS_LISTEN: state.services[name].metrics,
    PROMPTPO_DIE_WITH_PARENT: "1",
    PROMPTPO_DRAIN_MS: given["PROMPTPO_DRAIN_MS"] ?? String(DRAIN_MS),
    DATABASE_URL: databases.url(name),
    ...own[name],
    ...options.settings?.[name],
  };
}

/** Those who ask stop before those who answer. */
async function stopInOrder(running: readonly ServiceProcess[], databases: Databases | undefined): Promise<void> {
  for (const name of ["optimizer", "gateway", "rollout"])
    await running.find((service) => service.name === name)?.stop();
  await databases?.stop();
}

function keepLogSmall(file: string): void {
  try {
    if (statSync(file).size > LOG_BYTES_MOST) renameSync(file, `${file}.1`);
  } catch {
    // No log yet.
  }
}

class Owned implements Fleet {
  readonly joined = false;
  readonly folder: string;
  readonly #state: FleetState;
  readonly #databases: Databases;
  readonly #services: readonly ServiceProcess[];
  readonly #releaseLock: () => void;
  #stopped: Promise<void> | undefined;

  constructor(
    folder: string,
    state: FleetState,
    databases: Databases,
    services: readonly ServiceProcess[],
    releaseLock: () => void,
  ) {
    this.folder = folder;
    this.#state = state;
    this.#databases = databases;
    this.#services = services;
    this.#releaseLock = releaseLock;
  }

  get addresses(): Record<ServiceName, string> {
    return mapServices((name) => this.#state.services[name].address);
  }

  get metrics(): Record<ServiceName, string> {
    return mapServices((name) => this.#state.services[name].metrics);
  }

  get recording(): Recording | undefined {
    return this.#state.recording;
  }

  isUp(): boolean {
    return this.#stopped === undefined;
  }

  pids(): Record<string, number> {
    const pids: Record<string, number> = {};
    for (const service of this.#services) if (service.pid !== undefined) pids[service.name] = service.pid;
    if (this.#databases.pid !== undefined) pids["postgres"] = this.#databases.pid;
    return pids;
  }

  async untilUnused(signal?: AbortSignal, onWait?: (users: readonly FleetUser[]) => void): Promise<void> {
    // Closed first, then looked at: whoever joins in between takes the note back when it sees that the fleet closes.
    for (let told = false; !signal?.aborted; ) {
      this.#phase("stopping");
      const users = fleetUsers(this.folder);
      if (users.length === 0) return;
      this.#phase("up");
      if (!told) onWait?.(users);
      told = true;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #phase(phase: FleetState["phase"]): void {
    this.#state.phase = phase;
    writeFleetState(this.folder, this.#state);
  }

  async #stop(): Promise<void> {
    this.#phase("stopping");
    await stopInOrder(this.#services, this.#databases);
    rmSync(join(this.folder, "fleet.json"), { force: true });
    this.#releaseLock();
  }
}

export function mapServices<T>(of: (name: ServiceName) => T): Record<ServiceName, T> {
  return { gateway: of("gateway"), rollout: of("rollout"), optimizer: of("optimizer") };
}
