// What a run will take at most, before it begins: calls, tokens, steps, money. Counts are exact bounds; tokens are a
// rough guess, four characters a token and two thousand tokens an answer.
import type { llm, optimizer } from "@promptpo/contracts";
import type { Settings } from "./settings.ts";
import { strategyOf } from "./strategy.ts";

const ANSWER_TOKENS = 2_000;

/** `taskTokens`: tokens of the task prompt; `price`: of the model, where known. */
export function estimateRun(
  settings: Settings,
  horizon: bigint,
  taskTokens: number,
  price: llm.Price | undefined,
): optimizer.RunEstimate {
  const strategy = strategyOf(settings);
  const { rounds, candidates } = strategy.shape(settings);
  const policies = rounds * candidates;
  const programs = settings.feedbackProgram && strategy.learns ? 1 : 0;
  const reflections = settings.reflection && strategy.learns ? rounds - 1 : 0;
  const calls = policies + programs + reflections;
  const repairs = policies * settings.maxRepairs + programs * settings.maxFeedbackRepairs;

  // A later prompt holds the earlier winners, up to the history's bound.
  let promptTokens = (calls - policies) * taskTokens;
  for (let round = 1; round <= rounds; round += 1) {
    const history = strategy.learns ? Math.min(settings.historyTokens, (round - 1) * ANSWER_TOKENS) : 0;
    promptTokens += candidates * (taskTokens + history);
  }
  const answerTokens = calls * ANSWER_TOKENS;

  const episodes = (policies + programs * rounds) * settings.trainSeeds.length + settings.heldoutSeeds.length;
  const microUsd =
    price === undefined
      ? 0n
      : (BigInt(promptTokens) * price.promptMicroUsdPerMillion +
          BigInt(answerTokens) * price.completionMicroUsdPerMillion) /
        1_000_000n;
  return {
    callCount: BigInt(calls),
    maxCallCount: BigInt(calls + repairs),
    tokens: BigInt(promptTokens + answerTokens),
    cost: { microUsd, known: price !== undefined },
    steps: BigInt(episodes) * horizon,
  };
}
