import { expect, test } from "vitest";
import { optionsOf } from "./options.ts";

const of = (...args: string[]) => optionsOf(args, ["rollout", "step"]);

test("a bench alone runs five rounds of all rows into a table", () => {
  expect(of("step")).toEqual({ bench: "step", json: false, rounds: 5, only: undefined });
  expect(of("--json", "rollout", "--rounds", "9", "--only", "hopper")).toEqual({
    ...{ bench: "rollout", json: true, rounds: 9, only: "hopper" },
  });
});

test.each([
  [[], "expected one of rollout, step, got nothing"],
  [["gateway"], "expected one of rollout, step, got gateway"],
  [["step", "rollout"], "expected one of rollout, step, got step rollout"],
  [["step", "--rounds", "0"], "--rounds expects a whole number, 1 to 1000"],
  [["step", "--rounds", "many"], "--rounds expects a whole number, 1 to 1000"],
])("%j is refused by what is wrong with it", (args, problem) => {
  expect(of(...args)).toBe(problem);
});

test("an unknown option is named", () => {
  expect(of("step", "--fast")).toContain("--fast");
});
