// Processes that a killed fleet left behind: they notice by themselves that their owner is gone, and this makes sure before
// a new fleet opens the same folder. Signals only what is proved to be the process of then. The caller holds the lock.
import { setTimeout as delay } from "node:timers/promises";
import { type FleetState, SERVICES } from "./fleet-state.ts";
import type { FleetLog } from "./log.ts";
import { isSameProcess } from "./process-identity.mjs";

const STEPS: readonly { readonly signal: NodeJS.Signals; readonly graceMs: number }[] = [
  { signal: "SIGTERM", graceMs: 4_000 },
  { signal: "SIGKILL", graceMs: 5_000 },
];

/** Ends the services of an earlier fleet. Returns their pids. */
export async function stopLeftoverServices(state: FleetState, log: FleetLog): Promise<number[]> {
  const found = SERVICES.flatMap((name) => {
    const process = state.services[name].process;
    return process !== undefined && isSameProcess(process.pid, process.start) ? [{ name, ...process }] : [];
  });
  if (found.length === 0) return [];
  log.warn(
    { pids: found.map((each) => each.pid), owner: state.owner.pid },
    `stopping what a killed fleet (process ${state.owner.pid}) left running: ${found.map((each) => each.name).join(", ")}`,
  );
  for (const step of STEPS) {
    const alive = () => found.filter((each) => isSameProcess(each.pid, each.start));
    for (const each of alive()) kill(step.signal === "SIGKILL" ? -each.pid : each.pid, step.signal);
    const end = performance.now() + step.graceMs;
    while (alive().length > 0 && performance.now() < end) await delay(20);
  }
  return found.map((each) => each.pid);
}

function kill(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch {
    // It ended in this moment.
  }
}
