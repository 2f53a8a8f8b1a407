// Which process of a running fleet a fault test kills.
import { readdirSync, readFileSync } from "node:fs";
import type { Fleet } from "@promptpo/fleet";

export type Victim = "optimizer" | "gateway" | "rollout" | "sidecars" | "postgres";

/** SIGKILL, without a warning. */
export function kill(fleet: Fleet, victim: Victim): void {
  const pids = fleet.pids();
  const rollout = pids["rollout"];
  const targets = victim === "sidecars" ? childrenOf(rollout) : [pids[victim]];
  if (targets.length === 0) throw new Error(`the fleet runs no ${victim}`);
  for (const pid of targets) {
    if (pid === undefined) throw new Error(`the fleet runs no ${victim}`);
    process.kill(pid, "SIGKILL");
  }
}

function childrenOf(pid: number | undefined): number[] {
  if (pid === undefined) return [];
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((child) => parentOf(child) === pid);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined; // It ended between the listing and the look.
  }
}
