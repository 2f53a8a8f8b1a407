/**
 * An entry of the account as the columns of `usage_entries`.
 */
import type { UsageEntry } from "../core/ports.ts";

export const usageColumns =
  "id, tenant, run_id, model, provider_calls, free_calls, charged, prompt_tokens, completion_tokens, estimated, cost_micro_usd";

/** In the order of `usageColumns`. */
export function usageValues(entry: UsageEntry): unknown[] {
  const { charge } = entry;
  return [
    entry.id,
    entry.tenant,
    entry.runId,
    entry.model,
    entry.providerCalls,
    entry.freeCalls,
    charge !== undefined,
    charge?.usage.promptTokens ?? 0n,
    charge?.usage.completionTokens ?? 0n,
    charge?.usage.estimated ?? false,
    charge === undefined ? 0n : charge.cost.known ? charge.cost.microUsd : null,
  ];
}
