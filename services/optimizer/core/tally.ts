// What a run or a candidate has used: calls, tokens, money, steps. Owns counting an event, and the message made of it.
// Adding is commutative, so a tally is the same whatever order events arrive in. Unknown money is never zero.
import { llm, type optimizer } from "@promptpo/contracts";
import { HELDOUT_PLACE } from "./place.ts";

export interface Tally {
  readonly calls: bigint;
  readonly freeCalls: bigint;
  readonly promptTokens: bigint;
  readonly completionTokens: bigint;
  readonly tokensEstimated: boolean;
  readonly microUsd: bigint;
  /** False once a call's price is unknown, or an answer came from a recording (those are unpriced). */
  readonly costKnown: boolean;
  readonly trainSteps: bigint;
  readonly feedbackSteps: bigint;
  readonly heldoutSteps: bigint;
  readonly trainEpisodes: bigint;
}

export const EMPTY_TALLY: Tally = {
  calls: 0n,
  freeCalls: 0n,
  promptTokens: 0n,
  completionTokens: 0n,
  tokensEstimated: false,
  microUsd: 0n,
  costKnown: true,
  trainSteps: 0n,
  feedbackSteps: 0n,
  heldoutSteps: 0n,
  trainEpisodes: 0n,
};

const { SOURCE_CACHE, SOURCE_ANSWER_LOG, SOURCE_RECORDING, SOURCE_SINGLE_FLIGHT } = llm.Completion_Source;
const FREE: ReadonlySet<llm.Completion_Source> = new Set([
  SOURCE_CACHE,
  SOURCE_ANSWER_LOG,
  SOURCE_RECORDING,
  SOURCE_SINGLE_FLIGHT,
]);
/** Nobody is paid for these. An answer from the log was paid for when it was first given, so its price counts. */
const WITHOUT_PRICE: ReadonlySet<llm.Completion_Source> = new Set([SOURCE_CACHE, SOURCE_SINGLE_FLIGHT]);

export function count(tally: Tally, place: string, kind: optimizer.Event["kind"]): Tally {
  switch (kind?.$case) {
    case "modelAnswered":
      return countAnswer(tally, kind.value.completion);
    case "policyEvaluated": {
      const steps = kind.value.stepCount;
      return place === HELDOUT_PLACE
        ? { ...tally, heldoutSteps: tally.heldoutSteps + steps }
        : {
            ...tally,
            trainSteps: tally.trainSteps + steps,
            trainEpisodes: tally.trainEpisodes + BigInt(kind.value.episodes.length),
          };
    }
    case "trajectoriesSummarized":
      return { ...tally, feedbackSteps: tally.feedbackSteps + kind.value.stepCount };
    default:
      return tally;
  }
}

function countAnswer(tally: Tally, completion: llm.Completion | undefined): Tally {
  const calls = tally.calls + 1n;
  if (completion === undefined) return { ...tally, calls };
  const priced = !WITHOUT_PRICE.has(completion.source);
  const known = !priced || (completion.cost?.known ?? false);
  return {
    ...tally,
    calls,
    freeCalls: tally.freeCalls + (FREE.has(completion.source) ? 1n : 0n),
    promptTokens: tally.promptTokens + (completion.usage?.promptTokens ?? 0n),
    completionTokens: tally.completionTokens + (completion.usage?.completionTokens ?? 0n),
    tokensEstimated: tally.tokensEstimated || (completion.usage?.estimated ?? false),
    microUsd: tally.microUsd + (priced && known ? (completion.cost?.microUsd ?? 0n) : 0n),
    costKnown: tally.costKnown && known,
  };
}

export function usageMessage(tally: Tally): optimizer.RunUsage {
  return {
    callCount: tally.calls,
    freeCallCount: tally.freeCalls,
    tokens: {
      promptTokens: tally.promptTokens,
      completionTokens: tally.completionTokens,
      estimated: tally.tokensEstimated,
    },
    cost: { microUsd: tally.microUsd, known: tally.costKnown },
    trainSteps: tally.trainSteps,
    feedbackSteps: tally.feedbackSteps,
    heldoutSteps: tally.heldoutSteps,
    trainEpisodes: tally.trainEpisodes,
  };
}
