// `npm run check`: everything that must hold before a commit: formats, lint, types, generated files, import rules, contracts,
// and the quick unit tests. `--fast` leaves the unit tests out.
import "./pinned.ts";
import { python, root, runStep, type Step } from "./steps.ts";

const pythonFolder = `${root}/python`;

const steps: Step[] = [
  { name: "format and lint (biome)", command: ["biome", "check", "--error-on-warnings", "."] },
  { name: "types (tsc)", command: ["tsc", "-p", "."] },
  { name: "npm lock whole", command: [process.execPath, "scripts/complete-lock.ts", "--check"] },
  { name: "import graph", command: ["depcruise", "--config", ".dependency-cruiser.cjs", "packages", "services"] },
  { name: "proto lint (buf)", command: ["buf", "lint"], cwd: `${root}/proto` },
  { name: "proto breaking (buf)", command: ["buf", "breaking", "--against", "baseline.binpb"], cwd: `${root}/proto` },
  { name: "generated code in step", command: [process.execPath, "scripts/gen.ts", "--check"] },
  { name: "docs/errors.md in step", command: [process.execPath, "docs/write-errors.ts", "--check"] },
  {
    name: "python format (ruff)",
    command: [python, "-m", "ruff", "format", "--check", ".", "../bench"],
    cwd: pythonFolder,
  },
  { name: "python lint (ruff)", command: [python, "-m", "ruff", "check", ".", "../bench"], cwd: pythonFolder },
  { name: "python types (mypy)", command: [python, "-m", "mypy"], cwd: pythonFolder },
  { name: "types of the benchmarks", command: [python, "-m", "mypy", "../bench/python"], cwd: pythonFolder },
];
if (!process.argv.includes("--fast")) {
  steps.push({ name: "unit tests", command: ["vitest", "run", "--project", "unit", "--reporter=dot"] });
}

let failed = 0;
for (const step of steps) {
  const outcome = await runStep(step, false);
  console.log(`${outcome.ok ? "ok  " : "FAIL"} ${step.name} (${outcome.seconds.toFixed(1)} s)`);
  if (!outcome.ok) {
    failed += 1;
    console.log(outcome.output.trimEnd());
  }
}
process.exitCode = failed === 0 ? 0 : 1;
