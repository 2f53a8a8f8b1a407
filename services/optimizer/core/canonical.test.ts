import { llm, optimizer, types } from "@promptpo/contracts";
import { describe, expect, it } from "vitest";
import { canonicalEvent, canonicalLog } from "./canonical.ts";
import { answered, at } from "./testing/world.ts";

const event = (place: string, kind: NonNullable<optimizer.Event["kind"]>, sequence = 1n): optimizer.Event => ({
  sequence,
  place,
  createTime: at(Number(sequence)),
  kind,
});
const told = (of: optimizer.Event) => JSON.parse(canonicalEvent("run-a", of));

describe("the canonical form", () => {
  it("is sorted by place and has neither sequence nor time", () => {
    const a = event("r1/c00/policy/0", { $case: "modelAnswered", value: answered("A") }, 9n);
    const b = event("r0/all/feedback/0", { $case: "modelAnswered", value: answered("B") }, 3n);
    const text = canonicalLog("run-a", [a, b]);
    expect(JSON.parse(text).map(({ place }: { place: string }) => place)).toEqual([b.place, a.place]);
    expect(text).not.toMatch(/sequence|createTime/);
  });

  it("keeps of an answer its text, model and end, and the prompt's digest", () => {
    const value = {
      ...answered("A", {
        provider: "p",
        cacheKey: "k",
        requestId: "run-a/x",
        recorded: { model: "m", date: "d", match: llm.RecordedAnswer_Match.MATCH_PLACE, difference: "x" },
      }),
      messagesSha256: "abc",
    };
    expect(told(event("r1/c00/policy/0", { $case: "modelAnswered", value })).payload).toEqual({
      completion: { text: "A", model: "m", finishReason: "FINISH_REASON_STOP" },
      errorReason: "",
      messagesSha256: "abc",
    });
  });

  it("says NaN and infinities as words, and leaves artifacts and fingerprints out", () => {
    const value = optimizer.PolicyEvaluated.fromPartial({
      episodes: [
        { seed: 1n, returnValue: Number.NaN, trajectory: { sha256: "x" } },
        { seed: 2n, returnValue: Number.NEGATIVE_INFINITY },
        { seed: 3n, returnValue: -0, error: { kind: types.PolicyError_Kind.KIND_CPU, message: "slow" } },
      ],
      stepCount: 5n,
      errorReason: "SIMULATOR_FAILED",
      errorMessage: "at host:1",
      fingerprintDigest: "f",
    });
    expect(told(event("r1/c00/evaluation/0", { $case: "policyEvaluated", value })).payload).toEqual({
      episodes: [
        { seed: "1", returnValue: "NaN" },
        { seed: "2", returnValue: "-Infinity" },
        { seed: "3", returnValue: 0, error: { kind: "KIND_CPU", message: "slow" } },
      ],
      stepCount: "5",
      errorReason: "SIMULATOR_FAILED",
    });
  });

  it("names candidates without their run", () => {
    const round = optimizer.Round.fromPartial({ number: 1, winnerId: "run-a/r1/c02" });
    expect(told(event("r1/all/ended/0", { $case: "roundEnded", value: { round } })).payload.winnerId).toBe("r1/c02");
  });

  it("survives the way through the database", () => {
    const value = optimizer.PolicyEvaluated.fromPartial({
      episodes: [{ returnValue: Number.NaN }, { returnValue: 0.1 + 0.2 }],
    });
    const before = event("r1/c00/evaluation/0", { $case: "policyEvaluated", value });
    const after = optimizer.Event.decode(optimizer.Event.encode(before).finish());
    expect(canonicalEvent("run-a", after)).toBe(canonicalEvent("run-a", before));
  });
});
