/**
 * An evaluation's stream, collected.
 */
import type { rollout, types } from "@promptpo/contracts";
import { type CallOptions, type Client, FleetError } from "@promptpo/service-kit";

export interface Evaluation {
  /** In the order of the seeds. */
  readonly episodes: readonly types.EpisodeResult[];
  readonly summary: rollout.EvaluationSummary;
}

/** Who wants to know before it ends. After an interruption the same may be told again. */
export interface EvaluationListeners {
  /** Told of each episode as it ends. */
  readonly onEpisode?: (episode: types.EpisodeResult) => void;
  /** Told about once a second how far it is. */
  readonly onProgress?: (progress: rollout.EvaluationProgress) => void;
}

/** One attempt. The request carries its `requestId`: the service goes on where an earlier attempt was. */
export async function evaluateOnce(
  client: Client<rollout.RolloutServiceService>,
  request: rollout.EvaluatePolicyRequest,
  call: CallOptions,
  told: EvaluationListeners = {},
): Promise<Evaluation> {
  const episodes: types.EpisodeResult[] = [];
  for await (const { part } of client.evaluatePolicy(request, call)) {
    if (part?.$case === "episode") {
      episodes.push(part.value);
      told.onEpisode?.(part.value);
    } else if (part?.$case === "progress") {
      told.onProgress?.(part.value);
    } else if (part?.$case === "summary") {
      return { episodes, summary: part.value };
    }
  }
  // A stream that ends well ends with its summary; this one was cut by something between.
  throw new FleetError("ROLLOUT_UNAVAILABLE", "the evaluation's stream ended without its summary");
}
