import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fitHistory } from "./history.ts";
import type { HistoryItem } from "./progress.ts";

const item = (round: number): HistoryItem => ({
  round,
  index: 0,
  source: "",
  score: { meanReturn: round, successRate: 0, episodes: [] },
  feedback: [],
  reflection: undefined,
});
const items = (count: number) => Array.from({ length: count }, (_, at) => item(at + 1));
const fit = (count: number, best: number | undefined, most: number) =>
  fitHistory(items(count), best, most, ({ whole }) => (whole ? 100 : 10)).map(
    ({ item: { round }, whole }) => `${round}${whole ? "" : "-"}`,
  );

describe("a history over its budget", () => {
  it("is shown whole where it fits", () => {
    expect(fit(4, 1, 400)).toEqual(["1", "2", "3", "4"]);
  });

  it("loses the sources of the oldest first, never those of the best and the last", () => {
    expect(fit(5, 0, 420)).toEqual(["1", "2-", "3", "4", "5"]);
    expect(fit(5, 1, 230)).toEqual(["1-", "2", "3-", "4-", "5"]);
  });

  it("then loses the oldest altogether, down to the best and the last", () => {
    expect(fit(5, 1, 220)).toEqual(["2", "3-", "4-", "5"]);
    expect(fit(5, 1, 1)).toEqual(["2", "5"]);
    expect(fit(3, undefined, 1)).toEqual(["3"]);
  });

  it("always holds the best and the last, and fits unless only they are left", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.nat(11), fc.nat(1500), (count, at, most) => {
        const best = at % count;
        const shown = fit(count, best, most);
        expect(shown).toContain(String(best + 1));
        expect(shown).toContain(String(count));
        const tokens = shown.reduce((sum, text) => sum + (text.endsWith("-") ? 10 : 100), 0);
        expect(tokens <= most || shown.length <= 2).toBe(true);
      }),
    );
  });
});
