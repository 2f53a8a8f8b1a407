// Scores of episodes. Means are sums in seed order divided by the count, in float64: the same bits wherever computed.
import type { optimizer, types } from "@promptpo/contracts";

export interface Score {
  /** NaN where any episode failed or there is none. */
  readonly meanReturn: number;
  /** Share of episodes with success; failed ones count as none. */
  readonly successRate: number;
  readonly episodes: readonly types.EpisodeResult[];
}

export function scoreOf(episodes: readonly types.EpisodeResult[]): Score {
  const failed = episodes.length === 0 || episodes.some(({ error }) => error !== undefined);
  const sum = episodes.reduce((total, { returnValue }) => total + returnValue, 0);
  const successes = episodes.filter(({ success, error }) => success && error === undefined).length;
  return {
    meanReturn: failed ? Number.NaN : sum / episodes.length,
    successRate: episodes.length === 0 ? 0 : successes / episodes.length,
    episodes,
  };
}

export function scoreMessage(score: Score): optimizer.Score {
  return { meanReturn: score.meanReturn, successRate: score.successRate, episodes: [...score.episodes] };
}
