/**
 * What an evaluation came to, computed from its episodes in seed order.
 *
 * The mean is a plain left-to-right float64 sum over the count: the same episodes give the same bits everywhere.
 */
import { rollout, type types } from "@promptpo/contracts";

export interface Circumstances {
  readonly fingerprint: types.Fingerprint;
  readonly confined: boolean;
  /** True where no episode had to be simulated. */
  readonly cached: boolean;
}

export function summariseEvaluation(
  episodes: readonly types.EpisodeResult[],
  { fingerprint, confined, cached }: Circumstances,
): rollout.EvaluationSummary {
  let sum = 0;
  let successCount = 0;
  let failedCount = 0;
  let stepCount = 0n;
  for (const episode of episodes) {
    sum += episode.returnValue;
    stepCount += episode.length;
    if (episode.error !== undefined) failedCount += 1;
    else if (episode.success) successCount += 1;
  }
  return rollout.EvaluationSummary.fromPartial({
    meanReturn: failedCount > 0 || episodes.length === 0 ? Number.NaN : sum / episodes.length,
    successRate: episodes.length === 0 ? 0 : successCount / episodes.length,
    stepCount,
    failedCount: BigInt(failedCount),
    fingerprint,
    confined,
    cached,
  });
}
