/**
 * `CancelEvaluation`: stops an evaluation for good, on whichever replica it runs; one that has ended stays as it is.
 */
import { rollout } from "@promptpo/contracts";
import type { Handlers } from "@promptpo/service-kit";
import { evaluationState } from "./get-evaluation.ts";
import type { Ports } from "./ports.ts";
import type { RunningEvaluations } from "./running-evaluations.ts";
import { unknownEvaluation } from "./unknown-evaluation.ts";

export function cancelEvaluation(
  { evaluations }: Pick<Ports, "evaluations">,
  running: RunningEvaluations,
): Handlers<rollout.RolloutServiceService>["cancelEvaluation"] {
  return async ({ requestId }, { tenant }) => {
    const key = { tenant, requestId };
    // The store first: what it holds decides whether anything is added from now on.
    const state = await evaluations.cancel(key);
    if (state === undefined) throw unknownEvaluation(requestId);
    if (state === "CANCELLED") running.cancel(key);
    return rollout.CancelEvaluationResponse.create({ state: evaluationState(state, false) });
  };
}
