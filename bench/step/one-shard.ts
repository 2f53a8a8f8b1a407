// Eight HalfCheetah on one sidecar, one shard: both transports beside the bare loop and gymnasium's AsyncVectorEnv.
import { benchFleet } from "../fleet.ts";
import { interleave } from "../interleave.ts";
import { lockedPython } from "../paths.ts";
import { pythonContestant } from "../python-contestant.ts";
import { ratioRow, type Target } from "../row.ts";
import { type Section, say } from "../section.ts";

const grpc: Target = {
  name: "8 HalfCheetah-v5, gRPC stream",
  unit: "of AsyncVectorEnv",
  target: 1.4,
  sense: ">=",
};
const unix: Target = {
  name: "8 HalfCheetah-v5, unix socket",
  unit: "of AsyncVectorEnv",
  target: 3,
  sense: ">=",
};
const unixBare: Target = {
  name: "8 HalfCheetah-v5, unix socket beside bare",
  unit: "of bare",
  target: 0.8,
  sense: ">=",
};
const ROWS = [
  { target: grpc, ours: "grpc", peer: "vector" },
  { target: unix, ours: "unix", peer: "vector" },
  { target: unixBare, ours: "unix", peer: "bare" },
] as const;

/** Environment, environments, steps of each. */
const WORK = ["HalfCheetah-v5", 8, 1000];

export const oneShard: Section = {
  targets: ROWS.map(({ target }) => target),
  async *measure(wanted, rounds) {
    await using fleet = await benchFleet(1);
    say(`${wanted.map(({ name }) => name).join("; ")} ...`);
    await using bare = await pythonContestant(lockedPython, "bare_steps.py", WORK);
    await using vector = await pythonContestant(lockedPython, "vector_steps.py", [...WORK, "async"]);
    await using grpc = await pythonContestant(lockedPython, "fleet_steps.py", [...WORK, fleet.rollout, "grpc"]);
    await using unix = await pythonContestant(lockedPython, "fleet_steps.py", [...WORK, fleet.rollout, "unix"]);
    const found = await interleave({ bare, vector, unix, grpc }, rounds);
    for (const { target, ours, peer } of ROWS)
      if (wanted.includes(target)) yield ratioRow(target, found[ours], found[peer]);
  },
};
