// Sessions spread over two sidecars: many environments by gRPC, a slow simulator, and `send`/`recv` beside EnvPool's.
import { envpool } from "../envpool.ts";
import { type BenchFleet, benchFleet } from "../fleet.ts";
import { interleave } from "../interleave.ts";
import { lockedPython } from "../paths.ts";
import { pythonContestant } from "../python-contestant.ts";
import { missingRow, type Row, ratioRow, type Target } from "../row.ts";
import { type Section, say } from "../section.ts";
import { versionsIn } from "../versions.ts";

const many: Target = {
  name: "64 HalfCheetah-v5 on two sidecars, gRPC stream",
  unit: "of bare",
  target: 1.2,
  sense: ">=",
};
const sendRecv: Target = {
  name: "16 HalfCheetah-v5 on two sidecars, send/recv in batches of 8",
  unit: "of EnvPool async",
  target: 0.8,
  sense: ">=",
};
const metaworld: Target = {
  name: "8 button-press-v3 on two sidecars, unix socket",
  unit: "of bare",
  target: 1.6,
  sense: ">=",
};
const BATCH = 8;

export const twoSidecars: Section = {
  targets: [many, sendRecv, metaworld],
  async *measure(wanted, rounds, versions) {
    await using fleet = await benchFleet(2);
    for (const target of wanted) {
      say(`${target.name} ...`);
      if (target === many) yield await besideBare(many, ["HalfCheetah-v5", 64, 250], fleet, "grpc", rounds);
      if (target === sendRecv) yield await besideEnvPool(fleet, rounds, versions);
      if (target === metaworld) yield await besideBare(metaworld, ["button-press-v3", 8, 500], fleet, "unix", rounds);
    }
  },
};

async function besideBare(
  target: Target,
  work: readonly (string | number)[],
  fleet: BenchFleet,
  transport: "grpc" | "unix",
  rounds: number,
): Promise<Row> {
  await using peer = await pythonContestant(lockedPython, "bare_steps.py", work);
  await using ours = await pythonContestant(lockedPython, "fleet_steps.py", [...work, fleet.rollout, transport]);
  const found = await interleave({ peer, ours }, rounds);
  return ratioRow(target, found.ours, found.peer);
}

async function besideEnvPool(fleet: BenchFleet, rounds: number, versions: Record<string, string>): Promise<Row> {
  const installed = await envpool();
  if ("problem" in installed) return missingRow(sendRecv, installed.problem);
  Object.assign(versions, versionsIn(installed.python, ["envpool"]));
  const work = ["HalfCheetah-v5", 16, 1000];
  await using peer = await pythonContestant(installed.python, "envpool_send_recv.py", [...work, BATCH]);
  await using ours = await pythonContestant(lockedPython, "fleet_send_recv.py", [...work, fleet.rollout, BATCH]);
  const found = await interleave({ peer, ours }, rounds);
  return ratioRow(sendRecv, found.ours, found.peer);
}
