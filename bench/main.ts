// `npm run bench -- rollout|step`: measures ours beside its peers on this machine and prints a table, or with --json one document.
// Missed targets are for people to read and no failure; returns that differ from the peer's are one (exit 1).
import "../scripts/pinned.ts";
import { machine } from "./machine.ts";
import { optionsOf, USAGE } from "./options.ts";
import { lockedPython } from "./paths.ts";
import { evaluations } from "./rollout/evaluations.ts";
import { lanes } from "./rollout/lanes.ts";
import { missingRow, type Row, type Target } from "./row.ts";
import { type Section, say } from "./section.ts";
import { asJson, asTable } from "./show.ts";
import { oneShard } from "./step/one-shard.ts";
import { twoSidecars } from "./step/two-sidecars.ts";
import { versionsIn } from "./versions.ts";

const BENCHES: Readonly<Record<string, { sections: readonly Section[]; packages: readonly string[] }>> = {
  rollout: { sections: [lanes, evaluations], packages: ["gymnasium", "mujoco", "metaworld", "numpy"] },
  step: { sections: [oneShard, twoSidecars], packages: ["gymnasium", "mujoco", "metaworld", "numpy", "grpcio"] },
};
/** Processes that compete with ours for the cores over the last minute. */
const BUSY = 0.5;

const options = optionsOf(process.argv.slice(2), Object.keys(BENCHES));
if (typeof options === "string") {
  console.error(`${options}\n${USAGE}`);
  process.exit(2);
}
const { sections = [], packages = [] } = BENCHES[options.bench] ?? {};
const isWanted = ({ name }: Target): boolean =>
  options.only === undefined || name.toLowerCase().includes(options.only.toLowerCase());
if (!sections.some(({ targets }) => targets.some(isWanted))) {
  const names = sections.flatMap(({ targets }) => targets.map(({ name }) => name));
  console.error(`no row's name holds "${options.only}"; there are:\n  ${names.join("\n  ")}`);
  process.exit(2);
}

const versions: Record<string, string> = { node: process.versions.node, ...versionsIn(lockedPython, packages) };
const about = machine(versions);
if (about.load > BUSY) say(`the machine is busy (load ${about.load.toFixed(1)}): these numbers say little`);
const rows: Row[] = [];
let broken = false;
for (const section of sections) {
  const wanted = section.targets.filter(isWanted);
  if (wanted.length === 0) continue;
  try {
    for await (const row of section.measure(wanted, options.rounds, versions)) rows.push(row);
  } catch (error) {
    // What was measured, and the other sections' numbers, are worth having all the same.
    broken = true;
    const why = error instanceof Error ? error.message : String(error);
    say(why);
    const left = wanted.filter(({ name }) => !rows.some((row) => row.name === name));
    rows.push(...left.map((target) => missingRow(target, why.split("\n")[0] ?? "")));
  }
}
const report = { bench: options.bench, machine: about, rows };
console.log(options.json ? asJson(report) : asTable(report));
process.exitCode = broken || rows.some((row) => row.bitsEqual === false) ? 1 : 0;
