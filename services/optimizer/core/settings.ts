// A run's settings in the strict form that the core works with, compiled once from a complete RunSettings message.
// Owns the compiled type. Refuses incomplete messages: what is unset is filled in before a run is created, never later.
import { durationToMs, type llm, optimizer, types } from "@promptpo/contracts";

export type SelectionRule = "mean_return" | "mean_success";

/** Limits of a run; undefined is none. */
export interface Budget {
  readonly microUsd: bigint | undefined;
  readonly tokens: bigint | undefined;
  readonly steps: bigint | undefined;
  readonly wallMs: number | undefined;
}

export interface Settings {
  readonly environment: string;
  readonly variant: string;
  readonly model: string;
  readonly sampling: llm.Sampling | undefined;
  readonly rounds: number;
  readonly candidates: number;
  readonly trainSeeds: readonly bigint[];
  readonly heldoutSeeds: readonly bigint[];
  readonly selection: SelectionRule;
  readonly publishedTies: boolean;
  readonly final: "best_of_run" | "last_round";
  readonly reflection: boolean;
  readonly feedbackProgram: boolean;
  readonly maxRepairs: number;
  readonly maxFeedbackRepairs: number;
  readonly rewardKind: types.RewardKind;
  readonly historyTokens: number;
  readonly seed: bigint;
  readonly strategy: string;
  readonly bestHintAfter: number;
  readonly budget: Budget;
  readonly policyLifetime: types.PolicyLifetime;
  readonly replayTolerance: llm.ReplayTolerance;
  readonly modelTimeoutMs: number;
}

export function compileSettings(message: optimizer.RunSettings): Settings {
  return {
    environment: message.environment,
    variant: message.variant,
    model: message.model,
    sampling: message.sampling,
    rounds: needed(message.rounds, "rounds"),
    candidates: needed(message.candidates, "candidates"),
    trainSeeds: message.trainSeeds,
    heldoutSeeds: message.heldoutSeeds,
    selection: message.selection === types.Selection.SELECTION_MEAN_SUCCESS ? "mean_success" : "mean_return",
    publishedTies: needed(message.publishedTies, "published_ties"),
    final: message.final === optimizer.FinalRule.FINAL_RULE_LAST_ROUND ? "last_round" : "best_of_run",
    reflection: needed(message.reflection, "reflection"),
    feedbackProgram: needed(message.feedbackProgram, "feedback_program"),
    maxRepairs: needed(message.maxRepairs, "max_repairs"),
    maxFeedbackRepairs: needed(message.maxFeedbackRepairs, "max_feedback_repairs"),
    rewardKind: message.rewardKind,
    historyTokens: needed(message.historyTokens, "history_tokens"),
    seed: needed(message.seed, "seed"),
    strategy: message.strategy,
    bestHintAfter: needed(message.bestHintAfter, "best_hint_after"),
    budget: compileBudget(message.budget),
    policyLifetime: message.policyLifetime,
    replayTolerance: message.replayTolerance,
    modelTimeoutMs: durationToMs(needed(message.modelTimeout, "model_timeout")),
  };
}

/** 0 and unset are no limit. */
export function compileBudget(message: optimizer.RunBudget | undefined): Budget {
  const wallMs = message?.wallTime === undefined ? 0 : durationToMs(message.wallTime);
  const limit = (value: bigint | undefined) => (value === undefined || value <= 0n ? undefined : value);
  return {
    microUsd: limit(message?.microUsd),
    tokens: limit(message?.tokens),
    steps: limit(message?.steps),
    wallMs: wallMs > 0 ? wallMs : undefined,
  };
}

function needed<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw new TypeError(`a run's settings lack ${field}`);
  return value;
}
