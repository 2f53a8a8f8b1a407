import { FleetProblem } from "@promptpo/fleet";
import { FleetError } from "@promptpo/service-kit";
import { expect, test } from "vitest";
import { describeError } from "./describe-error.ts";
import { UsageError } from "./usage-error.ts";

test("an unknown name is told with the nearest ones and the command that lists all", () => {
  const error = new FleetError("UNKNOWN_ENVIRONMENT", "there is no environment halfcheeta", {
    metadata: { nearest: "HalfCheetah-v5,Hopper-v5" },
    requestId: "abc",
  });
  expect(describeError(error).split("\n")).toEqual([
    "error: there is no environment halfcheeta",
    "  did you mean HalfCheetah-v5, Hopper-v5?",
    "  next: promptpo envs",
    "  (UNKNOWN_ENVIRONMENT, request abc)",
  ]);
});

test("names that the message has already are not said twice", () => {
  const error = new FleetError("UNKNOWN_MODEL", "no model gpt-y; nearest: gpt-x", { metadata: { nearest: "gpt-x" } });
  expect(describeError(error)).not.toContain("did you mean");
});

test("fields that are wrong are listed", () => {
  const error = new FleetError("INVALID_ARGUMENT", "the settings cannot be used", {
    violations: [{ field: "settings.rounds", description: "must be 1 or more" }],
  });
  expect(describeError(error)).toContain("  settings.rounds: must be 1 or more");
});

test("what is wrong with the machine or the command line comes with its remedy", () => {
  expect(describeError(new FleetProblem("the folder is held", "Wait for it."))).toBe(
    "error: the folder is held\n  Wait for it.",
  );
  expect(describeError(new UsageError("no model is named", "Name one."))).toBe("error: no model is named\n  Name one.");
});
