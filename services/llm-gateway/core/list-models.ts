/**
 * The models that can be asked for: those configured (unless only recordings answer), and those whose answers are
 * recorded. By name, then provider. Pure.
 */
import { llm } from "@promptpo/contracts";
import type { Catalog, Recordings } from "./ports.ts";
import type { PriceTable } from "./usage.ts";

/** What a recorded model names as its provider. */
export const RECORDING_PROVIDER = "recording";

export function listModels(catalog: Catalog, recordings: Recordings, prices: PriceTable): llm.Model[] {
  const recorded = new Set(recordings.library.all().map(({ model }) => model));
  const models = [
    ...(recordings.mode === "replay" ? [] : catalog.models()).map(({ name, provider }) => {
      const price = prices.get(name);
      return llm.Model.fromPartial({ name, provider, ...(price === undefined ? {} : { price }) });
    }),
    // Recorded answers are unpriced.
    ...[...recorded].map((name) => llm.Model.fromPartial({ name, provider: RECORDING_PROVIDER })),
  ];
  const key = (model: llm.Model): string => `${model.name}\n${model.provider}`;
  return models.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
