import { types } from "@promptpo/contracts";
import { describe, expect, test } from "vitest";
import { callFor } from "../testing/calls.ts";
import type { Tolerance } from "./call.ts";
import { matchRecorded } from "./match-recorded.ts";
import type { DamagedFile, Library, Recorded } from "./recorded.ts";

const PLACE = "r1/c03/policy/0";

function recorded(prompt: string, answer: string, fields: { place?: string; model?: string } = {}): Recorded {
  const { place = PLACE, model = "model-a" } = fields;
  const call = callFor(prompt, { place });
  return {
    key: call.recordingKey,
    place,
    model,
    date: "2026-11-01",
    messages: call.messages,
    parameters: call.parameters,
    finish: "stop",
    answer,
    usage: types.Usage.fromPartial({}),
  };
}

function library(entries: readonly Recorded[], damaged: readonly DamagedFile[] = []): Library {
  return {
    byKey: (key) => entries.filter((entry) => entry.key === key),
    byPlace: (place) => entries.filter((entry) => entry.place === place),
    all: () => entries,
    damaged: () => damaged,
  };
}

function look(entries: readonly Recorded[], prompt: string, tolerance: Tolerance, model = "test-model") {
  return matchRecorded(library(entries), callFor(prompt, { place: PLACE, model }), tolerance);
}

describe("tolerance", () => {
  const entries = [recorded("return 977.4\nimprove it", "A")];
  test("the same prompt is exact, whatever is tolerated", () => {
    for (const tolerance of ["exact", "masked", "place"] as const) {
      expect(look(entries, "return 977.4\nimprove it", tolerance)).toMatchObject({ match: "exact", difference: "" });
    }
  });

  test("other numbers match once masked, and the difference is told", () => {
    expect(look(entries, "return 977.5\nimprove it", "exact").kind).toBe("miss");
    expect(look(entries, "return 977.5\nimprove it", "masked")).toMatchObject({
      match: "masked",
      difference: 'message 1 (user), line 1:\n- recorded: "return 977.4"\n+ asked:    "return 977.5"',
    });
  });

  test("other words match by place alone", () => {
    expect(look(entries, "return 977.4\nmake it worse", "masked").kind).toBe("miss");
    expect(look(entries, "return 977.4\nmake it worse", "place")).toMatchObject({ match: "place" });
  });

  test("another place never matches, even with the same prompt", () => {
    const call = callFor("return 977.4\nimprove it", { place: "r1/c04/policy/0" });
    expect(matchRecorded(library(entries), call, "place").kind).toBe("miss");
  });

  test("other parameters are no difference of numbers", () => {
    const call = callFor("return 977.4\nimprove it", { place: PLACE, sampling: { temperature: 0.5 } });
    expect(matchRecorded(library(entries), call, "masked").kind).toBe("miss");
    expect(matchRecorded(library(entries), call, "place")).toMatchObject({
      match: "place",
      difference: 'parameters:\n- recorded: {}\n+ asked:    {"temperature":0.5}',
    });
  });

  test("calls without a place are matched by key alone", () => {
    const outside = recorded("hi 1", "A", { place: "" });
    expect(matchRecorded(library([outside]), callFor("hi 1"), "exact").kind).toBe("match");
    expect(matchRecorded(library([outside]), callFor("hi 2"), "place").kind).toBe("miss");
  });
});

describe("several recordings of one place", () => {
  const a = recorded("alpha\nbeta\n1", "A", { model: "model-a" });
  const b = recorded("alpha\ngamma\n2", "B", { model: "model-b" });
  test("the key decides first", () => {
    expect(look([a, b], "alpha\ngamma\n2", "place", "model-a")).toMatchObject({
      match: "exact",
      recorded: { answer: "B" },
    });
  });
  test("then the model that is asked for", () => {
    expect(look([a, b], "alpha\nbeta\nx", "place", "model-b")).toMatchObject({ recorded: { answer: "B" } });
  });
  test("then the most similar prompt, then the first", () => {
    expect(look([a, b], "alpha\ngamma\n9", "place")).toMatchObject({ recorded: { answer: "B" } });
    expect(look([a, b], "nothing alike", "place")).toMatchObject({ recorded: { answer: "A" } });
  });
});

describe("a miss", () => {
  test("names the place, the nearest request and the first difference", () => {
    const found = look([recorded("line one\nline two", "A")], "line one\nline too", "exact");
    expect(found.kind === "miss" && found.error.reason).toBe("RECORDING_MISS");
    const message = found.kind === "miss" ? found.error.message : "";
    expect(message).toContain("no recorded answer for place r1/c03/policy/0");
    expect(message).toContain("answered by model-a on 2026-11-01");
    expect(message).toContain('line 2:\n- recorded: "line two"\n+ asked:    "line too"');
    expect(message).toContain("PROMPTPO_RECORDING_MODE=record");
  });

  test("fits into an error on the wire even when lines are long", () => {
    const found = look([recorded(`${"a".repeat(9_000)}x${"b".repeat(9_000)}`, "A")], `${"a".repeat(9_000)}y`, "exact");
    expect(found.kind === "miss" && found.error.message.length).toBeLessThan(1_000);
  });

  test("prefers places that are spelt alike, and says when nothing is recorded", () => {
    const elsewhere = recorded("p", "A", { place: "r1/c03/policy/1" });
    const found = look([recorded("p", "B", { place: "final/all/x/0" }), elsewhere], "q", "exact");
    expect(found).toMatchObject({ error: { metadata: { nearest_place: "r1/c03/policy/1" } } });
    expect(look([], "q", "exact")).toMatchObject({ error: { message: expect.stringContaining("is empty") } });
  });

  test("is damage where the place's file, or the whole folder, can not be used", () => {
    const call = callFor("p", { place: PLACE });
    const damage = (place: string | undefined) => [{ path: "rec/r1_c03_policy_0.yaml", why: "cut off", place }];
    for (const place of [PLACE, undefined]) {
      expect(matchRecorded(library([], damage(place)), call, "place")).toMatchObject({
        error: { reason: "RECORDING_DAMAGED", message: expect.stringContaining("rec/r1_c03_policy_0.yaml") },
      });
    }
    expect(matchRecorded(library([], damage("r9/all/x/0")), call, "exact")).toMatchObject({
      error: { reason: "RECORDING_MISS" },
    });
  });
});
