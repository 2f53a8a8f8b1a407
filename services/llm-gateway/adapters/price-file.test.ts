import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readPrices } from "./price-file.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prices-"));
});
afterAll(() => rm(folder, { recursive: true }));

const row = {
  model: "m",
  prompt_micro_usd_per_million: 1_250_000,
  completion_micro_usd_per_million: 10_000_000,
  source: "https://provider.example/pricing",
  date: "2026-11-01",
};
async function read(content: string) {
  const path = join(folder, "prices");
  await writeFile(path, content);
  return readPrices(path);
}

test("a table in YAML or JSON says the same; none is no price at all", async () => {
  const expected = {
    model: "m",
    promptMicroUsdPerMillion: 1_250_000n,
    completionMicroUsdPerMillion: 10_000_000n,
    source: row.source,
    date: row.date,
  };
  expect((await read(JSON.stringify({ prices: [row] }))).get("m")).toEqual(expected);
  const yaml = `prices:\n  - ${Object.entries(row)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    .join("\n    ")}\n`;
  expect((await read(yaml)).get("m")).toEqual(expected);
  expect((await readPrices(undefined)).size).toBe(0);
});

test.each([
  ["no source", { prices: [{ ...row, source: "" }] }, /prices.0.source/],
  ["a price in dollars", { prices: [{ ...row, prompt_micro_usd_per_million: 1.25 }] }, /prices.0.prompt_micro/],
  ["a misspelt field", { prices: [{ ...row, promptprice: 1 }] }, /promptprice/],
  ["a model twice", { prices: [row, row] }, /m is priced twice/],
])("%s is a named problem", async (_, content, message) => {
  await expect(read(JSON.stringify(content))).rejects.toThrow(message);
});

test("a file that is not there is named", async () => {
  await expect(readPrices(join(folder, "missing"))).rejects.toThrow(/PROMPTPO_PRICES.*missing.*ENOENT/s);
});
