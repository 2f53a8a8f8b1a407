import { FleetProblem } from "@promptpo/fleet";
import { ConfigError, FleetError, REASONS, type Reason } from "@promptpo/service-kit";
import { expect, test } from "vitest";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { UsageError } from "./usage-error.ts";

const byReason: readonly [Reason, number][] = [
  ["INVALID_ARGUMENT", EXIT.usage],
  ["INVALID_SEEDS", EXIT.usage],
  ["MESSAGE_TOO_LARGE", EXIT.usage],
  ["UNKNOWN_ENVIRONMENT", EXIT.notFound],
  ["UNKNOWN_RUN", EXIT.notFound],
  ["PERMISSION_DENIED", EXIT.permission],
  ["UNAUTHENTICATED", EXIT.permission],
  ["GATEWAY_UNAVAILABLE", EXIT.unavailable],
  ["DEADLINE_EXCEEDED", EXIT.unavailable],
  ["BUDGET_EXHAUSTED", EXIT.budget],
  ["QUOTA_EXHAUSTED", EXIT.budget],
  ["RUN_NOT_ACTIVE", EXIT.precondition],
  ["RECORDING_MISS", EXIT.precondition],
  ["NO_PROVIDER", EXIT.precondition],
  ["INTERNAL", EXIT.failed],
];

test.each(byReason)("%s ends with exit code %i", (reason, code) => {
  expect(exitCodeOf(new FleetError(reason, "what happened"))).toBe(code);
});

test("every reason of the table has an exit code other than success", () => {
  for (const reason of Object.keys(REASONS) as Reason[])
    expect(exitCodeOf(new FleetError(reason, "what happened")), reason).not.toBe(EXIT.ok);
});

test("what is not the fleet's word has its code too", () => {
  expect(exitCodeOf(new UsageError("no", "yes"))).toBe(EXIT.usage);
  expect(exitCodeOf(new ConfigError([]))).toBe(EXIT.usage);
  expect(exitCodeOf(new FleetProblem("held", "wait"))).toBe(EXIT.precondition);
  expect(exitCodeOf(new TypeError("a bug"))).toBe(EXIT.failed);
});
