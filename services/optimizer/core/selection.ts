// Which of several scored candidates wins. NaN and infinite means never win; ties go to the earliest.
import type { Score } from "./score.ts";
import type { Settings } from "./settings.ts";

type Rule = Pick<Settings, "selection" | "publishedTies">;

/** Position of the best score; undefined when none may win. `undefined` entries have no score. */
export function bestOf(scores: readonly (Score | undefined)[], rule: Rule): number | undefined {
  let best: number | undefined;
  for (const [at, score] of scores.entries()) {
    if (score === undefined || !Number.isFinite(score.meanReturn)) continue;
    const leader = best === undefined ? undefined : scores[best];
    if (leader === undefined || isBetter(score, leader, rule)) best = at;
  }
  return best;
}

/** Strictly better: equal scores are not, so whoever came first stays. Both means are finite. */
function isBetter(score: Score, leader: Score, { selection, publishedTies }: Rule): boolean {
  if (selection === "mean_return") return score.meanReturn > leader.meanReturn;
  if (score.successRate !== leader.successRate) return score.successRate > leader.successRate;
  // The published script breaks ties of success by order alone.
  return !publishedTies && score.meanReturn > leader.meanReturn;
}
