import { llm } from "@promptpo/contracts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { callFor } from "../testing/calls.ts";

test("the keys of a known call never change by accident", () => {
  const call = callFor("Balance the pole.", {
    model: "gpt-x",
    sampling: { temperature: 1, maxTokens: 100n },
    sample: { namespace: "run-seed-0", index: 3n },
    place: "r1/c03/policy/0",
    runId: "run-1",
  });
  expect([call.cacheKey, call.recordingKey, call.bodySha256]).toMatchInlineSnapshot(`
    [
      "b1848377579264ace377cf6bf2f24c580217bbd308b35807c05ce6278cb37068",
      "f22436f48b87bc37dceec31e52a051b2d82ca1dfe07a91422d08dfdf26dc193f",
      "cee759702f03c50d5d82514636e2602efb7f58e0d2ba661c7ce37d677b7ada8c",
    ]
  `);
});

describe("the cache key", () => {
  const base = { sampling: { temperature: 1 }, sample: { namespace: "a", index: 0n } };
  test.each([
    ["another sample index", { ...base, sample: { namespace: "a", index: 1n } }],
    ["another namespace", { ...base, sample: { namespace: "b", index: 0n } }],
    ["another parameter", { ...base, sampling: { temperature: 1, topP: 1 } }],
    ["a further parameter", { ...base, sampling: { temperature: 1, extra: { reasoning_effort: "low" } } }],
    ["another model", { ...base, model: "other" }],
    ["another speaker", { ...base, messages: [{ role: llm.Message_Role.ROLE_SYSTEM, content: "p" }] }],
  ])("tells apart: %s", (_, fields) => {
    expect(callFor("p", fields).cacheKey).not.toBe(callFor("p", base).cacheKey);
  });

  test("tells tenants apart", () => {
    expect(callFor("p", base, "alice").cacheKey).not.toBe(callFor("p", base, "bob").cacheKey);
  });

  test("does not see how the answer is fetched, nor where in a run", () => {
    const other = callFor("p", {
      ...base,
      place: "r1/c00/policy/0",
      runId: "r",
      requestId: "id",
      cacheMode: llm.CacheMode.CACHE_MODE_REFRESH,
      timeout: { seconds: 5n, nanos: 0 },
    });
    expect(other.cacheKey).toBe(callFor("p", base).cacheKey);
  });
});

describe("the recording's key", () => {
  test("outlives tenant, model, sample, run and request id", () => {
    const a = callFor("p", { place: "r0/all/feedback/0" });
    const b = callFor(
      "p",
      { place: "r0/all/feedback/0", model: "m2", sample: { namespace: "n", index: 9n }, runId: "x", requestId: "y" },
      "bob",
    );
    expect(b.recordingKey).toBe(a.recordingKey);
  });

  test("tells places, prompts and parameters apart", () => {
    const keys = [
      callFor("p", { place: "r0/all/feedback/0" }),
      callFor("p", { place: "r0/all/feedback/1" }),
      callFor("q", { place: "r0/all/feedback/0" }),
      callFor("p", { place: "r0/all/feedback/0", sampling: { temperature: 0 } }),
    ].map((call) => call.recordingKey);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

test("any two prompts have different keys", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (a, b) => {
      expect(callFor(a).cacheKey === callFor(b).cacheKey).toBe(a === b);
      expect(callFor(a).recordingKey === callFor(b).recordingKey).toBe(a === b);
    }),
  );
});
