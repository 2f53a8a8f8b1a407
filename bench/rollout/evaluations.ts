// Whole evaluations through a real service with two sidecars: memory over a thousand, throughput, latency of a small one.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type BenchFleet, benchFleet } from "../fleet.ts";
import { interleave } from "../interleave.ts";
import type { Contestant } from "../measurement.ts";
import { lockedPython } from "../paths.ts";
import { residentBelow } from "../process-tree.ts";
import { pythonContestant } from "../python-contestant.ts";
import { compareBits, median, type Row, ratioRow, type Target, valueRow } from "../row.ts";
import { type Section, say } from "../section.ts";
import { evaluated, evaluating, renewed, type Work } from "./evaluating.ts";
import { policyFile } from "./policy-file.ts";

const BUTTON = work("button-press-v3", "button_press", 20);
const NOISE = work("NoiseWorld-1", "noise_world", 5);
/** Evaluations a round: one is over too soon to say anything. */
const SMALL_A_ROUND = 10;
const AT_ONCE = 4;
/** Policies that were killed a moment ago are still there for as long. */
const SETTLING_MS = 200;

const memory: Target = {
  name: "sidecar memory after 1000 evaluations, of that after 100",
  unit: "ratio",
  target: 1.05,
  sense: "<=",
};
const throughput: Target = {
  name: "20 episodes of button-press-v3 through EvaluatePolicy, two sidecars",
  unit: "of bare",
  target: 1.7,
  sense: ">=",
};
const latency: Target = {
  name: "5 episodes of NoiseWorld-1 through EvaluatePolicy, warm, median",
  unit: "ms",
  target: 60,
  sense: "<=",
};

/** In this order: memory is read on sidecars that have done nothing else. */
const ROWS: readonly { target: Target; measure: (fleet: BenchFleet, rounds: number) => Promise<Row> }[] = [
  { target: memory, measure: memoryRow },
  { target: throughput, measure: throughputRow },
  { target: latency, measure: latencyRow },
];

export const evaluations: Section = {
  targets: ROWS.map(({ target }) => target),
  async *measure(wanted, rounds) {
    await using fleet = await benchFleet(2);
    for (const { target, measure } of ROWS) {
      if (!wanted.includes(target)) continue;
      say(`${target.name} ...`);
      yield await measure(fleet, rounds);
    }
  },
};

async function memoryRow(fleet: BenchFleet): Promise<Row> {
  await several(fleet, 0, 100);
  const before = await settled(fleet.pid);
  await several(fleet, 100, 1000);
  const after = await settled(fleet.pid);
  const mebibytes = { ours: after / 2 ** 20, peer: before / 2 ** 20 };
  return { ...valueRow(memory, [after / before]), ...mebibytes, note: "MiB resident, both sidecars" };
}

async function throughputRow(fleet: BenchFleet, rounds: number): Promise<Row> {
  await using peer = await bareLoop("button_press", BUTTON);
  const found = await interleave({ peer, ours: evaluating(fleet, BUTTON) }, rounds);
  return ratioRow(throughput, found.ours, found.peer);
}

async function latencyRow(fleet: BenchFleet, rounds: number): Promise<Row> {
  await using peer = await bareLoop("noise_world", NOISE);
  const found = await interleave({ peer, ours: evaluating(fleet, NOISE) }, rounds * SMALL_A_ROUND);
  const { equal, difference } = compareBits(found.ours, found.peer);
  const row = valueRow(
    latency,
    found.ours.map(({ seconds }) => seconds * 1000),
  );
  return { ...row, met: row.met && equal !== false, bitsEqual: equal, note: difference };
}

function work(environment: string, policy: string, episodes: number): Work {
  return { environment, source: readFileSync(policyFile(policy), "utf8"), episodes };
}

function bareLoop(policy: string, { environment, episodes }: Work): Promise<Contestant> {
  return pythonContestant(lockedPython, "bare_episodes.py", [environment, policyFile(policy), episodes]);
}

/** Small evaluations number `from` up to `to`, some at once. */
async function several(fleet: BenchFleet, from: number, to: number): Promise<void> {
  let next = from;
  const worker = async (): Promise<void> => {
    for (let number = next++; number < to; number = next++)
      await evaluated(fleet, { ...NOISE, source: renewed(NOISE.source, number) });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function settled(pid: number): Promise<number> {
  const readings = [];
  for (let reading = 0; reading < 5; reading++) {
    await sleep(SETTLING_MS);
    readings.push(residentBelow(pid));
  }
  return median(readings);
}
