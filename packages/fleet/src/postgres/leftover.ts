// Servers that a killed fleet left on a data folder. Finds them, makes sure that they really work on
// this folder, and ends them; only then is a stale pid file removed. Refuses to signal a process that
// merely inherited the number. The caller holds the folder's lock, so nobody else can own the server.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { processStart } from "../process-identity.mjs";

/** Fast shutdown, then immediate (recovers by its log), then what nothing survives. */
const STEPS: readonly { readonly signal: NodeJS.Signals; readonly graceMs: number }[] = [
  { signal: "SIGINT", graceMs: 15_000 },
  { signal: "SIGQUIT", graceMs: 5_000 },
  { signal: "SIGKILL", graceMs: 5_000 },
];

export interface Leftover {
  readonly pid: number;
}

/** Stops what still works on the folder. Returns the postmaster that was found, undefined if there was none. */
export async function stopLeftover(dataFolder: string): Promise<Leftover | undefined> {
  if (!existsSync(dataFolder)) return undefined;
  const pidFile = join(dataFolder, "postmaster.pid");
  const postmaster = existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8").split("\n")[0]) : Number.NaN;
  let found: Leftover | undefined;
  if (isServerOf(postmaster, dataFolder)) {
    found = { pid: postmaster };
    for (const step of STEPS) {
      if (!isServerOf(postmaster, dataFolder)) break;
      signalTo(postmaster, step.signal);
      await until(() => !isServerOf(postmaster, dataFolder), step.graceMs);
    }
  }
  // The children of a killed postmaster end by themselves; a new server must not meet them in shared memory.
  await until(() => workersOf(dataFolder).length === 0, 5_000);
  for (const pid of workersOf(dataFolder)) signalTo(pid, "SIGKILL");
  await until(() => workersOf(dataFolder).length === 0, 5_000);
  // PostgreSQL itself believes a stale file if its number belongs to any living process of this user.
  rmSync(pidFile, { force: true });
  return found;
}

function isServerOf(pid: number, dataFolder: string): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 1 || processStart(pid) === undefined) return false;
  if (process.platform === "linux") return worksIn(pid, realpathSync(dataFolder));
  try {
    const command = execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
    return command.includes("postgres") && command.includes(dataFolder);
  } catch {
    return false;
  }
}

/** Every PostgreSQL process has the data folder as its working directory. Elsewhere than on Linux: none is seen. */
function workersOf(dataFolder: string): number[] {
  if (process.platform !== "linux") return [];
  const folder = realpathSync(dataFolder);
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => worksIn(pid, folder) && processStart(pid) !== undefined);
}

function worksIn(pid: number, folder: string): boolean {
  try {
    if (readlinkSync(`/proc/${pid}/cwd`) !== folder) return false;
    return readlinkSync(`/proc/${pid}/exe`)
      .replace(/ \(deleted\)$/, "")
      .endsWith("/postgres");
  } catch {
    return false;
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function until(condition: () => boolean, timeoutMs: number): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!condition() && performance.now() < end) await delay(20);
}
