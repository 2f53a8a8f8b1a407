/**
 * The price table: a YAML or JSON file that says what a model costs, and where and when that was read.
 *
 *   prices:
 *     - model: some-model                              # as it is asked for, or as the provider names itself
 *       prompt_micro_usd_per_million: 1250000          # micro-USD for a million prompt tokens: 1.25 USD
 *       completion_micro_usd_per_million: 10000000
 *       source: https://provider.example/pricing
 *       date: "2026-11-01"
 *
 * No table is shipped: prices change, and a wrong one is worse than none. Without one every cost is unknown.
 */
import { readFile } from "node:fs/promises";
import { ConfigError } from "@promptpo/service-kit";
import { z } from "zod";
import type { Price, PriceTable } from "../core/usage.ts";
import { readYaml } from "./recording-file.ts";

const shape = z.strictObject({
  prices: z.array(
    z.strictObject({
      model: z.string().min(1),
      prompt_micro_usd_per_million: z.int().min(0),
      completion_micro_usd_per_million: z.int().min(0),
      source: z.string().min(1),
      date: z.iso.date(),
    }),
  ),
});

export async function readPrices(path: string | undefined): Promise<PriceTable> {
  const table = new Map<string, Price>();
  if (path === undefined) return table;
  for (const row of shapeOf(path, await contentOf(path)).prices) {
    if (table.has(row.model)) throw refuse(path, `the model ${row.model} is priced twice`);
    table.set(row.model, {
      model: row.model,
      promptMicroUsdPerMillion: BigInt(row.prompt_micro_usd_per_million),
      completionMicroUsdPerMillion: BigInt(row.completion_micro_usd_per_million),
      source: row.source,
      date: row.date,
    });
  }
  return table;
}

async function contentOf(path: string): Promise<unknown> {
  try {
    return readYaml(await readFile(path));
  } catch (error) {
    throw refuse(path, error instanceof Error ? error.message : "it can not be read");
  }
}

function shapeOf(path: string, value: unknown): z.output<typeof shape> {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refuse(path, `${issue?.path.map(String).join(".")}: ${issue?.message}`);
}

function refuse(path: string, why: string): ConfigError {
  return new ConfigError([
    {
      setting: "PROMPTPO_PRICES",
      where: `file ${path}`,
      why,
      next: "The file is a list `prices` with model, prompt_micro_usd_per_million, completion_micro_usd_per_million, source and date.",
    },
  ]);
}
