/**
 * `EvaluatePolicy`: episodes of one policy in seed order, each as soon as those before it are there; then the summary.
 */
import type { rollout } from "@promptpo/contracts";
import type { Handlers } from "@promptpo/service-kit";
import { parseEvaluation } from "../core/evaluation-spec.ts";
import type { RunningEvaluations } from "./running-evaluations.ts";

export function evaluatePolicy(running: RunningEvaluations): Handlers<rollout.RolloutServiceService>["evaluatePolicy"] {
  return (request, context) => running.evaluate(parseEvaluation(request), context);
}
