// The files of one embedded server: password, port, data folder. Makes them once, all or nothing: a
// kill in the middle of initdb leaves a folder that the next start throws away, never half a database.
// Refuses to touch data whose password file is gone.
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { freePort, isPortFree } from "../ports.ts";
import { FleetProblem } from "../problem.ts";
import { type PostgresBinaries, postgresBinaries } from "./binaries.ts";
import { chooseIdentity, commandFor, type Identity } from "./identity.ts";

/** The one role of the embedded server; it owns everything. */
export const ROLE = "promptpo";

export interface Cluster {
  readonly folder: string;
  readonly dataFolder: string;
  readonly logFile: string;
  readonly password: string;
  readonly identity: Identity;
  readonly binaries: PostgresBinaries;
}

/** What was decided when the data was made, since data made under one identity is closed to another. */
const Made = z.object({ identity: z.enum(["plain", "namespace", "user"]), dataFolder: z.string() });

/** Opens the cluster under `folder`, making it first when there is none. The caller holds the folder's lock. */
export async function openCluster(
  folder: string,
  forced: Identity["kind"] | undefined,
  signal?: AbortSignal,
): Promise<Cluster> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const madeFile = join(folder, "cluster.json");
  const made = existsSync(madeFile) ? Made.parse(JSON.parse(readFileSync(madeFile, "utf8"))) : undefined;
  const identity = chooseIdentity(made?.identity ?? forced);
  const installed = postgresBinaries();
  const place = identity.kind === "user" ? placeOfUser(folder, identity, installed) : undefined;
  const cluster: Cluster = {
    folder,
    dataFolder: place === undefined ? join(folder, "data") : join(place.home, "data"),
    logFile: join(folder, "postgres.log"),
    password: readPassword(folder, made !== undefined),
    identity,
    binaries: place === undefined ? installed : place.binaries,
  };
  if (made !== undefined && existsSync(join(made.dataFolder, "PG_VERSION")))
    return { ...cluster, dataFolder: made.dataFolder };
  await initialize(cluster, signal);
  replaceFile(
    madeFile,
    JSON.stringify({ identity: identity.kind, dataFolder: cluster.dataFolder } satisfies z.infer<typeof Made>),
  );
  return cluster;
}

/** The port of the last time if it is still free, so that addresses noted elsewhere stay true. */
export async function choosePort(folder: string): Promise<number> {
  const file = join(folder, "port");
  const last = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  if (Number.isInteger(last) && last > 1024 && last < 65_536 && (await isPortFree(last))) return last;
  const port = await freePort();
  replaceFile(file, `${port}\n`);
  return port;
}

/** Runs a program of the cluster's identity with nothing of our environment: no key reaches the server. */
export function spawnAs(
  cluster: Cluster,
  program: string,
  args: readonly string[],
  options: { dieWithParent: boolean; output: number },
) {
  const [command = "", ...rest] = commandFor(cluster.identity, program, args, options.dieWithParent);
  return spawn(command, rest, {
    cwd: "/",
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    stdio: ["ignore", options.output, options.output],
    // A group of its own: Ctrl-C in a terminal reaches the fleet, which stops things in order.
    detached: true,
    ...(cluster.identity.kind === "user" ? { uid: cluster.identity.uid, gid: cluster.identity.gid } : {}),
  });
}

/** The last lines of the server's log, for an error message. */
export function logTail(cluster: Cluster, lines = 8): string {
  try {
    return readFileSync(cluster.logFile, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  } catch {
    return "";
  }
}

function readPassword(folder: string, dataExists: boolean): string {
  const file = join(folder, "password");
  if (existsSync(file)) return readFileSync(file, "utf8").trim();
  if (dataExists) {
    throw new FleetProblem(
      `the database's password file ${file} is missing, and its data cannot be opened without it`,
      `Put the file back, or remove ${folder} to begin with an empty database.`,
    );
  }
  const password = randomBytes(24).toString("hex");
  replaceFile(file, `${password}\n`);
  return password;
}

async function initialize(cluster: Cluster, signal: AbortSignal | undefined): Promise<void> {
  const parent = join(cluster.dataFolder, "..");
  // What a killed start left behind, and a data folder that was never declared finished.
  for (const entry of readdirSync(parent))
    if (/^(data|new-data|password-once)$/.test(entry)) rmSync(join(parent, entry), { recursive: true, force: true });
  const fresh = join(parent, "new-data");
  // initdb reads the password as the server's user, so it gets a copy that this user owns.
  const once = join(parent, "password-once");
  writeFileSync(once, `${cluster.password}\n`, { mode: 0o600 });
  if (cluster.identity.kind === "user") chownSync(once, cluster.identity.uid, cluster.identity.gid);
  const log = openSync(cluster.logFile, "a", 0o600);
  try {
    const child = spawnAs(
      cluster,
      cluster.binaries.initdb,
      [
        "-D",
        fresh,
        "-U",
        ROLE,
        `--pwfile=${once}`,
        "--auth=scram-sha-256",
        "-E",
        "UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
      ],
      { dieWithParent: true, output: log },
    );
    const kill = () => child.kill("SIGKILL");
    signal?.addEventListener("abort", kill, { once: true });
    const outcome = await new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, by) => resolve(code === 0 ? "" : `exit ${code ?? by}`));
    });
    signal?.removeEventListener("abort", kill);
    signal?.throwIfAborted();
    if (outcome !== "") {
      throw new FleetProblem(
        `PostgreSQL could not make its data folder (${outcome}):\n${logTail(cluster)}`,
        `See ${cluster.logFile}; or set DATABASE_URL to a PostgreSQL server of your own (15 or newer).`,
      );
    }
  } finally {
    closeSync(log);
    rmSync(once, { force: true });
  }
  renameSync(fresh, cluster.dataFolder);
  syncFolder(parent);
}

/** Programs and data where another user can reach them, whatever the folders above the checkout allow. */
function placeOfUser(folder: string, identity: Identity & { kind: "user" }, installed: PostgresBinaries) {
  const name = createHash("sha256").update(realpathSync(folder)).digest("hex").slice(0, 16);
  mkdirSync("/var/lib/promptpo", { recursive: true, mode: 0o755 });
  const home = join("/var/lib/promptpo", name);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  chownSync(home, identity.uid, identity.gid);
  const programs = join(home, "programs");
  const stamp = join(programs, "copied-from");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== installed.home) {
    rmSync(programs, { recursive: true, force: true });
    cpSync(installed.home, programs, { recursive: true, verbatimSymlinks: true });
    writeFileSync(stamp, installed.home);
  }
  return {
    home,
    binaries: { home: programs, initdb: join(programs, "bin", "initdb"), postgres: join(programs, "bin", "postgres") },
  };
}

/** Readable by its owner alone, and either whole or absent. */
function replaceFile(file: string, content: string): void {
  const draft = `${file}.draft`;
  rmSync(draft, { force: true });
  const fd = openSync(draft, "wx", 0o600);
  try {
    writeFileSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, file);
  syncFolder(join(file, ".."));
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
