// Which of a run's two scores its learning curve shows: the one that told its winners apart. Pure.
import { type optimizer, types } from "@promptpo/contracts";
import { formatShare } from "../format.ts";

export interface Measure {
  readonly bySuccess: boolean;
  /** For the axis. */
  readonly words: string;
}

/** Success where success selects; but where all winners solved the same share, the return decided, and is what changed. */
export function measureOf(run: optimizer.Run): Measure {
  if (run.settings?.selection !== types.Selection.SELECTION_MEAN_SUCCESS)
    return { bySuccess: false, words: "mean return" };
  const rates = new Set(
    run.rounds.flatMap(({ winnerScore }) => (winnerScore === undefined ? [] : [winnerScore.successRate])),
  );
  const [only] = rates;
  if (rates.size !== 1 || only === undefined || run.rounds.length < 2)
    return { bySuccess: true, words: "success rate" };
  return { bySuccess: false, words: `mean return (success ${formatShare(only)} in every round)` };
}
