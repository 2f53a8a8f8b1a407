// Numbers, money, tokens and times as people read them. Unknown is never shown as zero. Pure.
import type { types } from "@promptpo/contracts";

/** Six significant digits; whole numbers whole. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "none" : value > 0 ? "inf" : "-inf";
  return Number(value.toPrecision(6)).toString();
}

export function formatShare(value: number): string {
  return Number.isFinite(value) ? value.toFixed(2) : "none";
}

/** 1234567 as 1,234,567. */
export function formatCount(value: bigint | number): string {
  return value.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** Tokens; `~` and the word for estimates. */
export function formatTokens(usage: types.Usage | undefined): string {
  if (usage === undefined) return "0 tokens";
  const sum = formatCount(usage.promptTokens + usage.completionTokens);
  return usage.estimated ? `~${sum} tokens (estimated)` : `${sum} tokens`;
}

export function formatCost(cost: types.Cost | undefined): string {
  if (cost === undefined || !cost.known) return "unpriced";
  return `$${(Number(cost.microUsd) / 1e6).toFixed(4)}`;
}

/** 75 s as 1:15. */
export function formatTime(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** An enum's name in words: RUN_STATE_STOPPED_BY_BUDGET as "stopped by budget". */
export function enumWord(name: string, prefix: string): string {
  return name
    .replace(new RegExp(`^${prefix}_`), "")
    .toLowerCase()
    .replaceAll("_", " ");
}
