// The built-in feedback program as Python runs it: short, for every kind of field, on trajectories of any length.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { rollout } from "@promptpo/contracts";
import { describe, expect, it } from "vitest";
import { builtinFeedback } from "./builtin-feedback.ts";

const python =
  process.env["PROMPTPO_PYTHON"] ?? fileURLToPath(new URL("../../../.promptpo/venv/bin/python", import.meta.url));
const names = ["speed", "pose", "board", "large"];
const source = builtinFeedback({
  observationFields: names.map((name) => rollout.ObservationField.fromPartial({ name })),
});
const driver = `
from types import SimpleNamespace
exec(compile(open(0).read(), "policy.py", "exec"))
board = np.arange(100)
def at(i):
    return SimpleNamespace(speed=np.float64(i), pose=np.array([i, 1.0]), board=board, large=np.full(30, i / 2))
for steps in (1, 3):
    print(Feedback().summarize_trajectory([at(i) for i in range(steps)]))
`;

function run(program: string) {
  return spawnSync(python, ["-c", driver], { input: program, encoding: "utf8" });
}

describe("the built-in feedback program", () => {
  it("tells first, last, least and greatest of each field in one line", () => {
    const { stdout, stderr } = run(source);
    expect(stderr).toBe("");
    expect(stdout.trim().split("\n")).toEqual([
      "1 steps; speed: constant 0; pose: constant vector; board: constant vector; large: constant vector",
      "3 steps; speed: first 0, last 2, min 0, max 2; pose[0]: first 0, last 2, min 0, max 2; pose[1]: constant 1; board: constant vector; norm of large: first 0, last 5.47723, min 0, max 5.47723",
    ]);
  });

  it("runs with a single field", () => {
    const one = builtinFeedback({ observationFields: [rollout.ObservationField.fromPartial({ name: "speed" })] });
    expect(run(one).stdout).toContain("3 steps; speed: first 0, last 2");
  });
});
