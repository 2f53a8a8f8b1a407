/**
 * Tokens and money of one provider call.
 *
 * Tokens are the provider's counts; where it gave none they are estimated as a token for every four characters (UTF-16
 * units, rounded up) and marked so. Money is integer micro-USD, rounded up; an unknown price stays unknown, never zero.
 */
import { types } from "@promptpo/contracts";
import type { ChatMessage } from "./call.ts";

const CHARACTERS_A_TOKEN = 4;

/** What a provider counted; absent where it did not. */
export interface CountedTokens {
  readonly prompt?: number | undefined;
  readonly completion?: number | undefined;
}

export interface Price {
  readonly model: string;
  readonly promptMicroUsdPerMillion: bigint;
  readonly completionMicroUsdPerMillion: bigint;
  /** Where the price was read. */
  readonly source: string;
  /** ISO date of the reading. */
  readonly date: string;
}

/** Prices by model. */
export type PriceTable = ReadonlyMap<string, Price>;

export function usageOf(counted: CountedTokens, messages: readonly ChatMessage[], text: string): types.Usage {
  const promptCharacters = messages.reduce((sum, { content }) => sum + content.length, 0);
  return types.Usage.fromPartial({
    promptTokens: BigInt(counted.prompt ?? estimateTokens(promptCharacters)),
    completionTokens: BigInt(counted.completion ?? estimateTokens(text.length)),
    estimated: counted.prompt === undefined || counted.completion === undefined,
  });
}

/** The price of the name that was asked for, else of the name that answered (`gpt-x` answers as `gpt-x-2026-01-01`). */
export function priceFor(prices: PriceTable, asked: string, answered: string): Price | undefined {
  return prices.get(asked) ?? prices.get(answered);
}

export function costOf(usage: types.Usage, price: Price | undefined): types.Cost {
  if (price === undefined) return types.Cost.fromPartial({ microUsd: 0n, known: false });
  const millionths =
    usage.promptTokens * price.promptMicroUsdPerMillion + usage.completionTokens * price.completionMicroUsdPerMillion;
  return types.Cost.fromPartial({ microUsd: (millionths + 999_999n) / 1_000_000n, known: true });
}

function estimateTokens(characters: number): number {
  return Math.ceil(characters / CHARACTERS_A_TOKEN);
}
