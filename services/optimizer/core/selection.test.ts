import { types } from "@promptpo/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scoreOf } from "./score.ts";
import { bestOf } from "./selection.ts";

const score = (meanReturn: number, successRate = 0) => ({ meanReturn, successRate, episodes: [] });
const byReturn = { selection: "mean_return", publishedTies: false } as const;
const bySuccess = { selection: "mean_success", publishedTies: false } as const;
const published = { selection: "mean_success", publishedTies: true } as const;

describe("the winner", () => {
  it("has the highest mean return; a tie goes to the lowest index", () => {
    expect(bestOf([score(1), score(3), score(3), score(2)], byReturn)).toBe(1);
  });

  it("has the highest success rate where that counts, then the higher mean return, then the lower index", () => {
    expect(bestOf([score(9, 0.2), score(1, 0.8), score(2, 0.8), score(2, 0.8)], bySuccess)).toBe(2);
  });

  it("is the first of equal success with the published rule", () => {
    expect(bestOf([score(9, 0.2), score(1, 0.8), score(2, 0.8)], published)).toBe(1);
  });

  it("is never a NaN, an infinity, or a candidate without score", () => {
    expect(bestOf([undefined, score(Number.NaN, 1), score(Number.POSITIVE_INFINITY, 1), score(-5)], bySuccess)).toBe(3);
    expect(bestOf([score(Number.NaN), undefined], byReturn)).toBeUndefined();
  });

  it("is at least as good as every other", () => {
    const value = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, 1, 1));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), (values) => {
        const best = bestOf(
          values.map((each) => score(each)),
          byReturn,
        );
        const finite = values.filter(Number.isFinite);
        if (finite.length === 0) expect(best).toBeUndefined();
        else expect(values[best ?? -1]).toBe(Math.max(...finite));
      }),
    );
  });
});

describe("a score", () => {
  it("is the mean in seed order, NaN where an episode failed, and failed episodes are no successes", () => {
    const episode = (returnValue: number, failed = false) =>
      types.EpisodeResult.fromPartial({ returnValue, success: true, ...(failed ? { error: { message: "x" } } : {}) });
    expect(scoreOf([episode(0.1), episode(0.2), episode(0.3)])).toMatchObject({
      meanReturn: (0.1 + 0.2 + 0.3) / 3,
      successRate: 1,
    });
    expect(scoreOf([episode(1), episode(1, true)])).toMatchObject({ meanReturn: Number.NaN, successRate: 0.5 });
  });
});
