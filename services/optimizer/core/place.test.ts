import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCandidateId, runIdOfRequest } from "./candidate-id.ts";
import { candidatePlace, controlPlace, HELDOUT_PLACE, PLACE_KINDS, parsePlace, roundPlace } from "./place.ts";

const small = fc.nat(100_000);
const kind = fc.constantFrom(...PLACE_KINDS);

describe("a place", () => {
  it("is read back as it was written", () => {
    fc.assert(
      fc.property(small, small, kind, small, (round, index, of, attempt) => {
        expect(parsePlace(candidatePlace(round, index, of, attempt))).toEqual({ round, who: index, kind: of, attempt });
        expect(parsePlace(roundPlace(round, of, attempt))).toEqual({ round, who: "all", kind: of, attempt });
      }),
    );
  });

  it("has the documented spelling", () => {
    expect(candidatePlace(1, 3, "policy", 0)).toBe("r1/c03/policy/0");
    expect(candidatePlace(12, 123, "policy-repair", 2)).toBe("r12/c123/policy-repair/2");
    expect(parsePlace(HELDOUT_PLACE)).toEqual({ round: "final", who: "all", kind: "heldout", attempt: 0 });
    expect(controlPlace(2)).toBe("control/2");
  });

  it.each([
    "",
    "control/0",
    "r1/c3/policy/0",
    "r1/c003/policy/0",
    "r01/all/policy/0",
    "r1/all/other/0",
    "r1/all/policy/",
  ])("refuses %j", (text) => expect(parsePlace(text)).toBeUndefined());
});

describe("ids", () => {
  it("finds the run of a request id again, and keeps tenants apart", () => {
    expect(runIdOfRequest("a", "x")).toBe(runIdOfRequest("a", "x"));
    expect(runIdOfRequest("a", "x")).toMatch(/^run-[0-9a-z]{10}$/);
    expect(
      new Set(["a:bc", "ab:c", "abc:"].map((pair) => runIdOfRequest(...(pair.split(":") as [string, string])))),
    ).toHaveProperty("size", 3);
  });

  it("reads candidates' ids", () => {
    expect(parseCandidateId("run-abc/r2/c03")).toEqual({ runId: "run-abc", round: 2, index: 3 });
    expect(parseCandidateId("run-abc/r0/c03")).toBeUndefined();
    expect(parseCandidateId("../r1/c03")).toBeUndefined();
  });
});
