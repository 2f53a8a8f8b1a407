import fc from "fast-check";
import { expect, test } from "vitest";
import { costOf, priceFor, usageOf } from "./usage.ts";

const messages = [{ role: "user", content: "12345678" }] as const;
const price = {
  model: "m",
  promptMicroUsdPerMillion: 1_250_000n,
  completionMicroUsdPerMillion: 10_000_000n,
  source: "s",
  date: "2026-11-01",
};

test("counts are the provider's; what it did not count is estimated at four characters a token and marked", () => {
  expect(usageOf({ prompt: 5, completion: 6 }, messages, "abc")).toMatchObject({
    promptTokens: 5n,
    completionTokens: 6n,
    estimated: false,
  });
  expect(usageOf({}, messages, "abcde")).toMatchObject({ promptTokens: 2n, completionTokens: 2n, estimated: true });
  expect(usageOf({ prompt: 5 }, messages, "")).toMatchObject({
    promptTokens: 5n,
    completionTokens: 0n,
    estimated: true,
  });
});

test("an unknown price is unknown, not zero", () => {
  expect(costOf(usageOf({ prompt: 1, completion: 1 }, messages, ""), undefined)).toEqual({
    microUsd: 0n,
    known: false,
  });
});

test("the name asked for is priced before the name that answered", () => {
  const table = new Map([["gpt-x", price]]);
  expect(priceFor(table, "gpt-x", "gpt-x-2026")).toBe(price);
  expect(priceFor(table, "alias", "gpt-x")).toBe(price);
  expect(priceFor(table, "alias", "other")).toBeUndefined();
});

test("money is rounded up to a micro-USD, exactly", () => {
  expect(costOf(usageOf({ prompt: 1, completion: 0 }, messages, ""), price)).toEqual({ microUsd: 2n, known: true });
  fc.assert(
    fc.property(fc.nat(1e9), fc.nat(1e9), (prompt, completion) => {
      const { microUsd } = costOf(usageOf({ prompt, completion }, messages, ""), price);
      const exact = BigInt(prompt) * 1_250_000n + BigInt(completion) * 10_000_000n;
      expect(microUsd * 1_000_000n >= exact && (microUsd - 1n) * 1_000_000n < exact).toBe(true);
    }),
  );
});
