// Whether an event used a run's budget up, and the sentence that says so. Limits are checked at events and nowhere else.
import { type optimizer, timestampToDate } from "@promptpo/contracts";
import type { Closure, LogState } from "./log-state.ts";
import type { Tally } from "./tally.ts";

export function budgetMet(
  { settings: { budget }, createTimeMs }: LogState,
  tally: Tally,
  { kind, createTime }: optimizer.Event,
): Closure | undefined {
  if (kind?.$case === "modelAnswered" && kind.value.errorReason === "BUDGET_EXHAUSTED") return "gateway";
  if (budget.microUsd !== undefined && tally.microUsd >= budget.microUsd) return "micro_usd";
  if (budget.tokens !== undefined && tally.promptTokens + tally.completionTokens >= budget.tokens) return "tokens";
  if (budget.steps !== undefined && tally.trainSteps + tally.feedbackSteps >= budget.steps) return "steps";
  const timeMs = createTime === undefined ? createTimeMs : timestampToDate(createTime).getTime();
  if (budget.wallMs !== undefined && timeMs - createTimeMs >= budget.wallMs) return "wall_time";
  return undefined;
}

/** Why the run stopped, for people. */
export function closureCause({ settings: { budget }, tally }: LogState, closed: Closure): string {
  switch (closed) {
    case "micro_usd":
      return `the run's budget of ${budget.microUsd} micro-USD is used: ${tally.microUsd} spent`;
    case "tokens":
      return `the run's budget of ${budget.tokens} tokens is used: ${tally.promptTokens + tally.completionTokens} taken`;
    case "steps":
      return `the run's budget of ${budget.steps} environment steps is used: ${tally.trainSteps + tally.feedbackSteps} taken`;
    case "wall_time":
      return `the run's ${(budget.wallMs ?? 0) / 1000} s of wall time are over`;
    case "gateway":
      return "the llm-gateway's budget is spent";
  }
}
