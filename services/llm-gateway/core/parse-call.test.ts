import { llm } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import { describe, expect, test } from "vitest";
import { callFor, requestFor } from "../testing/calls.ts";
import { parseCall } from "./parse-call.ts";

test("parameters have the providers' names, and only those set", () => {
  const { parameters } = callFor("p", {
    sampling: {
      temperature: 0,
      topP: 0.5,
      maxTokens: 100n,
      seed: -3n,
      stop: ["END"],
      presencePenalty: -1,
      frequencyPenalty: 2,
      extra: { reasoning_effort: "low", metadata: { a: [1, null, true] } },
    },
  });
  expect(parameters).toEqual({
    temperature: 0,
    top_p: 0.5,
    max_tokens: 100,
    seed: -3,
    stop: ["END"],
    presence_penalty: -1,
    frequency_penalty: 2,
    reasoning_effort: "low",
    metadata: { a: [1, null, true] },
  });
  expect(callFor("p").parameters).toEqual({});
});

describe("a bad field is named", () => {
  test.each([
    ["model", { model: "" }],
    ["messages", { messages: [] }],
    ["messages[0].role", { messages: [{ content: "x" }] }],
    ["place", { place: "../../etc/passwd" }],
    ["place", { place: "r1/c_3/policy/0" }],
    ["request_id", { requestId: "a\nb" }],
    ["timeout", { timeout: { seconds: 3601n, nanos: 0 } }],
    ["timeout", { timeout: { seconds: -1n, nanos: 0 } }],
    ["sampling.temperature", { sampling: { temperature: Number.NaN } }],
    ["sampling.top_p", { sampling: { topP: 1.5 } }],
    ["sampling.max_tokens", { sampling: { maxTokens: 0n } }],
    ["sampling.seed", { sampling: { seed: 2n ** 60n } }],
    ["sampling.stop", { sampling: { stop: [""] } }],
    ["sampling.extra.n", { sampling: { extra: { n: 5 } } }],
    ["sampling.extra.x", { sampling: { extra: { x: Number.POSITIVE_INFINITY } } }],
    ["sample.index", { sample: { index: -1n } }],
    ["cache_mode", { cacheMode: llm.CacheMode.UNRECOGNIZED }],
  ])("%s", (field, fields) => {
    const thrown = failureOf(() => callFor("p", fields));
    expect(thrown.reason).toBe("INVALID_ARGUMENT");
    expect(thrown.violations?.map((violation) => violation.field)).toContain(field);
  });

  test("all of them at once", () => {
    const thrown = failureOf(() => callFor("p", { model: "", sampling: { topP: -1 }, place: "/" }));
    expect(thrown.violations?.map(({ field }) => field)).toEqual(["model", "place", "sampling.top_p"]);
    expect(thrown.message).toContain("and 2 more");
  });
});

test("a prompt over the limit is refused by its bytes, not its characters", () => {
  const limits = { timeoutMs: 1, tolerance: "exact", promptBytesMost: 3 } as const;
  expect(parseCall(requestFor("abc"), "t", limits).messages[0]?.content).toBe("abc");
  expect(failureOf(() => parseCall(requestFor("éé"), "t", limits)).reason).toBe("PROMPT_TOO_LARGE");
});

function failureOf(work: () => unknown): FleetError {
  try {
    work();
  } catch (error) {
    if (error instanceof FleetError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}
