// `npm test`: every test, TypeScript and Python, and one closing line `N passed, N failed`.
// Arguments name suites to run alone: `npm test -- python`, `npm test -- unit services`.
import "./pinned.ts";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { python, root, runStep, type Step } from "./steps.ts";

const scratch = mkdtempSync(join(tmpdir(), "promptpo-test-"));
const report = (name: string): string => join(scratch, `${name}.report`);

interface Suite extends Step {
  /** Reads passed and failed counts out of the suite's report; a suite that wrote none has failed once. */
  readonly count: () => { passed: number; failed: number; skipped: number };
}

function vitest(project: string): Suite {
  const file = report(project);
  return {
    name: project,
    command: [
      "vitest",
      "run",
      "--project",
      project,
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${file}`,
    ],
    count: () => {
      const found: unknown = JSON.parse(readFileSync(file, "utf8"));
      const number = (key: string): number => {
        const value = (found as Record<string, unknown>)[key];
        return typeof value === "number" ? value : 0;
      };
      const broken = number("numFailedTestSuites") > 0 && number("numFailedTests") === 0 ? 1 : 0;
      return {
        passed: number("numPassedTests"),
        failed: number("numFailedTests") + broken,
        skipped: number("numPendingTests") + number("numTodoTests"),
      };
    },
  };
}

function pytest(): Suite {
  const file = report("python");
  return {
    name: "python",
    command: [python, "-m", "pytest", "-q", `--junitxml=${file}`],
    cwd: join(root, "python"),
    count: () => {
      const text = readFileSync(file, "utf8");
      const number = (key: string): number =>
        Number(new RegExp(`<testsuite [^>]*\\b${key}="(\\d+)"`).exec(text)?.[1] ?? 0);
      const failed = number("failures") + number("errors");
      return { passed: number("tests") - failed - number("skipped"), failed, skipped: number("skipped") };
    },
  };
}

const suites: Suite[] = [vitest("unit"), vitest("services"), pytest(), vitest("fleet")];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(`no such suite: ${unknown.join(", ")}; there are ${suites.map((suite) => suite.name).join(", ")}`);
  process.exit(2);
}

const total = { passed: 0, failed: 0, skipped: 0 };
for (const suite of suites.filter((each) => wanted.length === 0 || wanted.includes(each.name))) {
  console.log(`\n== ${suite.name}`);
  const outcome = await runStep(suite, true);
  let counts = { passed: 0, failed: 1, skipped: 0 };
  try {
    counts = suite.count();
  } catch {
    console.error(`${suite.name} left no report`);
  }
  // A runner that fails without a failed test (a worker died, a hook broke) is a failure all the same.
  if (!outcome.ok && counts.failed === 0) counts.failed = 1;
  console.log(`== ${suite.name}: ${counts.passed} passed, ${counts.failed} failed, ${outcome.seconds.toFixed(0)} s`);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}
rmSync(scratch, { recursive: true, force: true });
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
console.log(`\n${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
