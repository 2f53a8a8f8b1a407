import fc from "fast-check";
import { expect, test } from "vitest";
import { nearest } from "./nearest.ts";

const environments = ["HalfCheetah-v5", "Hopper-v5", "Swimmer-v5", "button-press-v3", "drawer-open-v3", "NoiseWorld-0"];

test.each([
  ["halfcheeta-v5", "HalfCheetah-v5"],
  ["HalfCheetah", "HalfCheetah-v5"],
  ["half-cheetah-v5", "HalfCheetah-v5"],
  ["buton-press-v3", "button-press-v3"],
  ["Hoper-v5", "Hopper-v5"],
  ["noiseworld", "NoiseWorld-0"],
])("%s is meant to be %s", (word, meant) => {
  expect(nearest(word, environments)[0]).toBe(meant);
});

test("nothing like it, nothing said", () => {
  expect(nearest("chess", environments)).toEqual([]);
  expect(nearest("  ", environments)).toEqual([]);
});

test("a known name is its own nearest, no name comes twice, none is invented", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 10 }),
      (known) => {
        const [word = ""] = known;
        const found = nearest(word, known);
        expect(new Set(found).size).toBe(found.length);
        for (const name of found) expect(known).toContain(name);
        if (
          word.trim() === word &&
          word !== "" &&
          !known.some((other) => other !== word && other.toLowerCase() === word.toLowerCase())
        ) {
          expect(found[0]).toBe(word);
        }
      },
    ),
  );
});
