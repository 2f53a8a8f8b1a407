/**
 * `GetEvaluation`: what is stored of an evaluation, finished or not.
 */
import { rollout } from "@promptpo/contracts";
import type { Handlers } from "@promptpo/service-kit";
import type { EvaluationRecord, Ports } from "./ports.ts";
import type { RunningEvaluations } from "./running-evaluations.ts";
import { unknownEvaluation } from "./unknown-evaluation.ts";

export function getEvaluation(
  { evaluations }: Pick<Ports, "evaluations">,
  running: RunningEvaluations,
): Handlers<rollout.RolloutServiceService>["getEvaluation"] {
  return async ({ requestId }, { tenant }) => {
    const key = { tenant, requestId };
    const record = await evaluations.find(key);
    if (record === undefined) throw unknownEvaluation(requestId);
    return rollout.GetEvaluationResponse.create({
      state: evaluationState(record.state, running.isStarted(key) === true || isRunningElsewhere(record)),
      episodes: record.episodes.map(({ result }) => result),
      summary: record.summary,
    });
  };
}

/** What waits elsewhere has no episodes yet; that it runs is known once it has. */
function isRunningElsewhere({ isHeldElsewhere, episodes }: EvaluationRecord): boolean {
  return isHeldElsewhere && episodes.length > 0;
}

/** An open evaluation that no sidecar works on waits: for a sidecar, or for its caller to ask again. */
export function evaluationState(state: EvaluationRecord["state"], isStarted: boolean): rollout.EvaluationState {
  switch (state) {
    case "SUCCEEDED":
      return rollout.EvaluationState.EVALUATION_STATE_SUCCEEDED;
    case "CANCELLED":
      return rollout.EvaluationState.EVALUATION_STATE_CANCELLED;
    case "OPEN":
      return isStarted
        ? rollout.EvaluationState.EVALUATION_STATE_RUNNING
        : rollout.EvaluationState.EVALUATION_STATE_QUEUED;
  }
}
