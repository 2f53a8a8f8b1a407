import fc from "fast-check";
import { expect, test } from "vitest";
import { SeedOrder } from "./seed-order.ts";

test("whatever the order of arrival, results are shown in seed order, each once and as early as possible", () => {
  const arrivals = fc
    .integer({ min: 0, max: 30 })
    .chain((n) => fc.shuffledSubarray([...Array(n).keys()], { minLength: n, maxLength: n }));
  fc.assert(
    fc.property(arrivals, (order) => {
      const shown: number[] = [];
      const results = new SeedOrder<number>(order.length);
      const arrived = new Set<number>();
      for (const index of order) {
        shown.push(...results.put(index, index));
        expect(results.put(index, -1)).toEqual([]);
        arrived.add(index);
        let beginning = 0;
        while (arrived.has(beginning)) beginning += 1;
        expect(shown).toEqual([...Array(beginning).keys()]);
      }
      expect(results.complete).toBe(true);
      expect(results.missing).toEqual([]);
    }),
  );
});
