import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MASK, maskNumbers } from "./mask-numbers.ts";

const N = MASK;

describe("what a number is", () => {
  test.each([
    ["mean return 977.4", `mean return${N}`],
    ["x=-3", `x=${N}`],
    ["x = -3.5e-07,", `x =${N},`],
    ["[ 0.1 -0.2  3.]", `[${N}${N}${N}]`],
    ["[-0.1  0.2 .5]", `[${N}${N}${N}]`],
    ["NaN, nan, inf, -Infinity", `${N},${N},${N},${N}`],
    ["1_000 steps", `${N} steps`],
    ["3.2m, 50%", `${N}m,${N}%`],
    ["a-3 and 5-3 and (x)-3", `a-${N} and${N}-${N} and (x)-${N}`],
    ["2024-01-05", `${N}-${N}-${N}`],
  ])("%s", (text, masked) => {
    expect(maskNumbers(text)).toBe(masked);
  });

  test.each(["c03 HalfCheetah-v5 obs_2 x1", "no digits at all", "infinite nano information", ""])(
    "digits within names, and words, stay: %s",
    (text) => {
      expect(maskNumbers(text)).toBe(text);
    },
  );
});

/** Text between numbers: may end in anything that a number may follow, and begins with something that ends one. */
const between = fc
  .array(fc.constantFrom("mean ", "x=", " reward: ", "(", "\n", ", ", "[", "position ", "é ", "; "), { maxLength: 3 })
  .map((parts) => `,${parts.join("")} `);
const number = fc.oneof(
  fc.integer().map(String),
  fc
    .double()
    .map((value) =>
      Number.isNaN(value) ? "nan" : Number.isFinite(value) ? String(value) : value > 0 ? "inf" : "-inf",
    ),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => value.toFixed(3)),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => value.toExponential(2)),
);

test("two tellings of one text with other numbers are equal once masked", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(between, number, number)), between, (parts, end) => {
      const one = parts.map(([text, a]) => text + a).join("") + end;
      const other = parts.map(([text, , b]) => text + b).join("") + end;
      expect(maskNumbers(one)).toBe(maskNumbers(other));
    }),
  );
});

test("a change outside of numbers is still seen", () => {
  fc.assert(
    fc.property(
      between,
      number,
      fc.constantFrom("fell", "stood", "c03", "c04"),
      fc.constantFrom("fell", "stood", "c03", "c04"),
      (text, n, a, b) => {
        expect(maskNumbers(`${text}${n} ${a}`) === maskNumbers(`${text}${n} ${b}`)).toBe(a === b);
      },
    ),
  );
});

test("a megabyte of blanks is masked at once", () => {
  const blanks = " ".repeat(1_000_000);
  expect(maskNumbers(`${blanks}x${blanks}1`)).toBe(`${blanks}x${N}`);
});
