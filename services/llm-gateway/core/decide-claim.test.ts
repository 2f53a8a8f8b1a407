import { FleetError } from "@promptpo/service-kit/errors.ts";
import { describe, expect, test } from "vitest";
import { decideClaim, stateAfter, visibleState } from "./decide-claim.ts";
import { failure } from "./outcome.ts";
import type { AnswerRow } from "./ports.ts";

const row = (fields: Partial<AnswerRow>): AnswerRow => ({
  state: "reserved",
  version: 1,
  bodySha256: "body",
  owner: undefined,
  ownerLives: false,
  completion: undefined,
  errorReason: "",
  ...fields,
});
const decide = (fields: Partial<AnswerRow>, onUnknown: "resend" | "hold" = "resend", ownerWasMissed = false) =>
  decideClaim(row(fields), { bodySha256: "body", onUnknown }, { owner: "me", ownerWasMissed });

describe("a call finds its row", () => {
  test.each([
    ["another body", { bodySha256: "other", state: "stored" }, "refuse"],
    ["stored", { state: "stored" }, "answer"],
    ["reserved, given back", { state: "reserved" }, "take"],
    ["failed before", { state: "failed" }, "take"],
    ["unknown", { state: "unknown" }, "take"],
    ["reserved by a living replica", { state: "reserved", owner: "you", ownerLives: true }, "wait"],
    ["sent by a living replica", { state: "sent", owner: "you", ownerLives: true }, "wait"],
    ["sent by one that looks dead", { state: "sent", owner: "you" }, "look-again"],
    ["left over from this process", { state: "reserved", owner: "me", ownerLives: true }, "take"],
  ] as const)("%s", (_, fields, claim) => {
    expect(decide(fields)).toBe(claim);
  });

  test("whose owner was missed twice is taken, unless it was sent and the caller holds", () => {
    expect(decide({ state: "sent", owner: "you" }, "resend", true)).toBe("take");
    expect(decide({ state: "sent", owner: "you" }, "hold", true)).toBe("hold");
    expect(decide({ state: "reserved", owner: "you" }, "hold", true)).toBe("take");
    expect(decide({ state: "unknown" }, "hold")).toBe("hold");
    expect(decide({ state: "failed" }, "hold")).toBe("take");
  });
});

test("a failure leaves the row as what is known of it", () => {
  const after = (reason: ConstructorParameters<typeof FleetError>[0], fate: "unsent" | "settled" | "unknown") =>
    stateAfter(failure(new FleetError(reason, ""), fate));
  expect(after("PROVIDER_RATE_LIMITED", "settled")).toBe("reserved");
  expect(after("PROVIDER_UNAVAILABLE", "unknown")).toBe("unknown");
  expect(after("DEADLINE_EXCEEDED", "unknown")).toBe("unknown");
  expect(after("PROVIDER_REFUSED", "settled")).toBe("failed");
  expect(after("RECORDING_MISS", "unsent")).toBe("failed");
  expect(after("CANCELLED", "unknown")).toBe("failed");
});

test("callers see what a dead process had sent as of unknown fate", () => {
  expect(visibleState(row({ state: "sent", owner: "you", ownerLives: true }))).toBe("sent");
  expect(visibleState(row({ state: "sent", owner: "you" }))).toBe("unknown");
  expect(visibleState(row({ state: "reserved" }))).toBe("reserved");
});
