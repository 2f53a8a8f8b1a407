import { optimizer } from "@promptpo/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { enumValue, pageSize, pageToken, parseFilter, readPageToken } from "./filter.ts";

describe("a filter", () => {
  it("is fields and values joined by AND", () => {
    const fields = ["state", "environment"] as const;
    expect(parseFilter(' state = RUNNING AND environment="Noise World 0" ', fields)).toEqual({
      state: "RUNNING",
      environment: "Noise World 0",
    });
    expect(parseFilter("", fields)).toEqual({});
  });

  it.each(["state", "state=", "state=A OR state=B", "state=A AND", "state=A AND state=B", "stat=A", "State=A"])(
    "is refused: %j",
    (text) => expect(() => parseFilter(text, ["state"])).toThrow(/filter|field/),
  );

  it("names the nearest field, and an enum's values", () => {
    expect(() => parseFilter("stat=A", ["state"])).toThrow("did you mean state?");
    const state = (word: string) => enumValue("state", word, "RUN_STATE_", optimizer.RunState);
    expect(state("RUNNING")).toBe(2);
    expect(state("RUN_STATE_FAILED")).toBe(5);
    expect(() => state("LATE")).toThrow("it has QUEUED, RUNNING, PAUSED");
    expect(() => state("UNRECOGNIZED")).toThrow();
  });
});

describe("a page token", () => {
  it("is read back, and fits only its own list", () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string(), { minLength: 1, maxLength: 3 }), (of, words) => {
        const token = pageToken(of, words);
        expect(readPageToken(token, of, words.length)).toEqual(words);
        expect(() => readPageToken(token, `${of}x`, words.length)).toThrow("page token");
      }),
    );
  });

  it("is refused when it is garbage", () => {
    expect(readPageToken("", "x", 1)).toBeUndefined();
    for (const token of ["zz", "bnVsbA", "W10"]) expect(() => readPageToken(token, "x", 1)).toThrow("page token");
  });

  it("comes with sizes that have bounds", () => {
    expect([pageSize(0, 50, 500), pageSize(7, 50, 500), pageSize(9999, 50, 500)]).toEqual([50, 7, 500]);
    expect(() => pageSize(-1, 50, 500)).toThrow("negative");
  });
});
