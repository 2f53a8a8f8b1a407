/**
 * For tests: settings with which the service starts real sidecars from this checkout, and policies to run on them.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { RolloutUnderTest } from "./rollout-under-test.ts";

const venvPython = fileURLToPath(new URL("../../../.promptpo/venv/bin/python", import.meta.url));

/** The interpreter with the lock set. */
export const python = process.env["PROMPTPO_PYTHON"] ?? venvPython;

export function realSidecars(count: number): Record<string, string> {
  const pythonPath = process.env["PROMPTPO_PYTHON_PATH"];
  return {
    PROMPTPO_PYTHON: python,
    PROMPTPO_SIDECARS: String(count),
    ...(pythonPath === undefined ? {} : { PROMPTPO_PYTHON_PATH: pythonPath }),
  };
}

/** Walks at random, from a generator that nobody seeded: exact only because the jail makes it so. Burns some CPU. */
export const wanderer = `
import numpy as np

class NoiseWorldPolicy:
    def __init__(self):
        self.rng = np.random.default_rng()

    def act(self, obs):
        total = 0
        for i in range(60_000):
            total += i
        return int(self.rng.integers(0, 4))
`;

/** Process ids of all sidecars that ever served, once there are so many. */
export async function served(service: RolloutUnderTest, count: number): Promise<number[]> {
  const pids: number[] = [];
  await service.logged((line) => {
    if (line["msg"] === "a sidecar serves") pids.push(Number(line["pid"]));
    return pids.length === count;
  });
  return pids;
}

/** Whether the process exists and has not ended (a zombie has). */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
