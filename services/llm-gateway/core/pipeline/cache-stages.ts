/**
 * The exact cache around single flight: read before joining a flight, filled within it.
 *
 * Only whole answers are kept (the model was done); what was cut by a limit or filtered is not. The flight looks once more
 * before it asks: an answer may have come between the first look and its start, and would else be paid twice.
 */
import { llm } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import type { Call } from "../call.ts";
import { finishOf, sharedWith } from "../completion.ts";
import { failure, type Outcome } from "../outcome.ts";
import type { AnswerCache } from "../ports.ts";
import type { Stage } from "./flow.ts";

export function cacheStages(cache: AnswerCache): { readonly read: Stage; readonly fill: Stage } {
  const look = async (call: Call): Promise<Outcome | undefined> => {
    if (call.cacheUse !== "use" && call.cacheUse !== "only-if-cached") return undefined;
    const kept = await cache.get(call.cacheKey);
    if (kept === undefined) return undefined;
    return { kind: "answer", completion: sharedWith(call, kept, llm.Completion_Source.SOURCE_CACHE) };
  };
  return {
    read: async (flow, next) => {
      const hit = await look(flow.call);
      if (hit !== undefined) return hit;
      if (flow.call.cacheUse !== "only-if-cached") return next(flow);
      const error = new FleetError(
        "NOT_FOUND",
        "the cache has no answer to this call and cache_mode ONLY_IF_CACHED forbids to ask a provider; use another mode",
        { metadata: { cache_key: flow.call.cacheKey } },
      );
      return failure(error, "unsent");
    },
    fill: async (flow, next) => {
      const hit = await look(flow.call);
      if (hit !== undefined) return hit;
      const outcome = await next(flow);
      if (outcome.kind === "answer" && flow.call.cacheUse !== "no-cache" && finishOf(outcome.completion) === "stop") {
        await cache.set(flow.call.cacheKey, outcome.completion);
      }
      return outcome;
    },
  };
}
