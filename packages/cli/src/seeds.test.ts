import fc from "fast-check";
import { expect, test } from "vitest";
import { formatSeeds, parseSeeds } from "./seeds.ts";

test("lists and ranges mix, in the order given", () => {
  expect(parseSeeds("0,1,2,51")).toEqual([0n, 1n, 2n, 51n]);
  expect(parseSeeds("0..4")).toEqual([0n, 1n, 2n, 3n, 4n]);
  expect(parseSeeds("7, 0..2 ,51")).toEqual([7n, 0n, 1n, 2n, 51n]);
  expect(parseSeeds("3..3")).toEqual([3n]);
  expect(parseSeeds("4294967295")).toEqual([4294967295n]);
});

test.each([
  ["", /neither a seed nor a range/],
  ["1,,2", /neither a seed nor a range/],
  ["-1", /neither a seed nor a range/],
  ["0...4", /neither a seed nor a range/],
  ["1.5", /neither a seed nor a range/],
  ["5..1", /backwards/],
  ["1,2,1", /seed 1 is named twice/],
  ["0..4,3", /seed 3 is named twice/],
  ["0..100000", /more than 100000/],
  ["0..99999,200000..299999", /more than 100000/],
  ["0..999999999999999999", /more than 100000/],
])("%j is refused with what is wrong", (text, why) => {
  expect(() => parseSeeds(text)).toThrow(why);
});

test("what is formatted parses to the same seeds", () => {
  const seeds = fc.uniqueArray(fc.bigInt({ min: 0n, max: 60n }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(seeds, (list) => {
      expect(parseSeeds(formatSeeds(list))).toEqual(list);
    }),
  );
});

test("ranges are written short", () => {
  expect(formatSeeds([0n, 1n, 2n, 3n, 51n, 60n, 61n])).toBe("0..3,51,60,61");
});
