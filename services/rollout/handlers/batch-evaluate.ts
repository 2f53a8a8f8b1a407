/**
 * `BatchEvaluate`: several evaluations at once, their messages as they come, each evaluation's own in its order.
 *
 * All requests are checked before the first one starts. An evaluation that ends with an error ends the call; the others
 * go on (each has a request_id) and are found by asking again.
 */
import { rollout } from "@promptpo/contracts";
import { FleetError, type Handlers } from "@promptpo/service-kit";
import { parseEvaluation } from "../core/evaluation-spec.ts";
import type { RunningEvaluations } from "./running-evaluations.ts";

const EVALUATIONS_MOST = 1_000;

export function batchEvaluate(running: RunningEvaluations): Handlers<rollout.RolloutServiceService>["batchEvaluate"] {
  return async function* (request, context) {
    refuseUnnamed(request.requests.map(({ requestId }) => requestId));
    const specs = request.requests.map((one, at) => parseEvaluation(one, `requests[${at}].`));
    const left = new AbortController();
    const signal = AbortSignal.any([context.signal, left.signal]);
    const streams = specs.map((spec) => ({
      requestId: spec.requestId,
      messages: running.evaluate(spec, { ...context, signal }),
    }));
    const next = async (stream: (typeof streams)[number]) => ({ stream, result: await stream.messages.next() });
    const pending = new Map(streams.map((stream) => [stream, next(stream)]));
    try {
      while (pending.size > 0) {
        const { stream, result } = await Promise.race(pending.values());
        if (result.done === true) {
          pending.delete(stream);
          continue;
        }
        pending.set(stream, next(stream));
        yield rollout.BatchEvaluateResponse.create({ requestId: stream.requestId, response: result.value });
      }
    } finally {
      // Nobody reads the others any more: they stop waiting, and how that ends concerns nobody.
      left.abort(new FleetError("CANCELLED", "the batch ended"));
      for (const waiting of pending.values()) waiting.catch(() => undefined);
    }
  };
}

function refuseUnnamed(requestIds: readonly string[]): void {
  const violations = requestIds.flatMap((requestId, at) => {
    const field = `requests[${at}].request_id`;
    if (requestId === "") return [{ field, description: "is empty; in a batch each evaluation needs one" }];
    if (requestIds.indexOf(requestId) < at) return [{ field, description: "stands in the batch already" }];
    return [];
  });
  if (requestIds.length === 0) violations.push({ field: "requests", description: "is empty" });
  if (requestIds.length > EVALUATIONS_MOST) {
    violations.push({ field: "requests", description: `holds ${requestIds.length}; at most ${EVALUATIONS_MOST} fit` });
  }
  const first = violations[0];
  if (first === undefined) return;
  throw new FleetError("INVALID_ARGUMENT", `${first.field} ${first.description}`, { violations });
}
