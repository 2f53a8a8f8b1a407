// Which episode is worth a video: a successful one before any other, then the highest return, then the first. Pure.
import type { types } from "@promptpo/contracts";

export function bestEpisode(episodes: readonly types.EpisodeResult[]): types.EpisodeResult | undefined {
  let best: types.EpisodeResult | undefined;
  for (const episode of episodes) {
    if (episode.error !== undefined || Number.isNaN(episode.returnValue)) continue;
    if (best === undefined || Number(episode.success) > Number(best.success)) best = episode;
    else if (episode.success === best.success && episode.returnValue > best.returnValue) best = episode;
  }
  return best;
}
