import { REASONS, type Reason } from "@promptpo/service-kit/errors.ts";
import { describe, expect, it } from "vitest";
import { type FailedCall, fateOf } from "./failure-policy.ts";

const call = (reason: Reason, rest: Partial<FailedCall> = {}): FailedCall => ({
  peer: "gateway",
  target: "127.0.0.1:7001",
  reason,
  message: "why",
  waitedMs: 0,
  retries: 0,
  modelTimeoutMs: 600_000,
  ...rest,
});
const fate = (reason: Reason, rest: Partial<FailedCall> = {}) => fateOf(call(reason, rest)).kind;

describe("a command whose call failed", () => {
  it.each([
    "GATEWAY_UNAVAILABLE",
    "ROLLOUT_UNAVAILABLE",
    "NO_SIDECAR",
    "QUEUE_FULL",
    "UNAUTHENTICATED",
    "CANNOT_CONFINE",
  ] as const)("waits for as long as it takes: %s", (reason) =>
    expect(fate(reason, { waitedMs: 1e12, retries: 1e6 })).toBe("wait"),
  );

  it("says what it waits for, and where", () => {
    expect(fateOf(call("GATEWAY_UNAVAILABLE"))).toEqual({
      kind: "wait",
      cause: "waits for the llm-gateway at 127.0.0.1:7001: GATEWAY_UNAVAILABLE: why",
    });
    expect(fateOf(call("PROVIDER_UNAVAILABLE"))).toMatchObject({
      cause: "waits for the model's provider behind the llm-gateway at 127.0.0.1:7001: PROVIDER_UNAVAILABLE: why",
    });
    expect(fateOf(call("SIDECAR_DIED", { peer: "rollout" }))).toMatchObject({
      cause: "waits for the rollout service at 127.0.0.1:7001: SIDECAR_DIED: why",
    });
  });

  it("gives a provider as long as one model call may take", () => {
    expect(fate("PROVIDER_UNAVAILABLE", { waitedMs: 599_999, retries: 100 })).toBe("wait");
    expect(fate("PROVIDER_UNAVAILABLE", { waitedMs: 600_000 })).toBe("record");
  });

  it("tries a fault a few times, and never a model call that used up its time", () => {
    expect(fate("INTERNAL", { retries: 2 })).toBe("wait");
    expect(fate("INTERNAL", { retries: 3 })).toBe("record");
    expect(fate("SIDECAR_DIED", { peer: "rollout", retries: 3, waitedMs: 1e12 })).toBe("record");
    expect(fate("DEADLINE_EXCEEDED")).toBe("record");
    expect(fate("DEADLINE_EXCEEDED", { peer: "rollout" })).toBe("wait");
  });

  it.each([
    "PROVIDER_REFUSED",
    "RECORDING_MISS",
    "BUDGET_EXHAUSTED",
    "NO_PROVIDER",
    "SIMULATOR_FAILED",
    "POLICY_TOO_LARGE",
    "REQUEST_ID_REUSED",
  ] as const)("has its failure as its outcome: %s", (reason) => expect(fate(reason)).toBe("record"));

  it("waits for everything that the table calls retryable, the provider's faults for a while", () => {
    for (const reason of Object.keys(REASONS).filter((name): name is Reason => REASONS[name as Reason].retryable))
      expect([reason, fate(reason)]).toEqual([reason, "wait"]);
  });
});
