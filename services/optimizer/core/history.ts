// Fits a history into its token budget. Over it, the oldest winners first lose their source and reflection, then go;
// the best and the last stay whole, whatever they take. Knows no words: what an item takes is measured by the caller.
import type { HistoryItem } from "./progress.ts";

export interface FittedItem {
  readonly item: HistoryItem;
  /** False: only returns and feedback are shown. */
  readonly whole: boolean;
}

/** Tokens of a text, estimated as everywhere where nobody counts: four characters each. */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / 4);
}

/** The items that are shown, oldest first. `best` is the position of the best one, if there is one. */
export function fitHistory(
  history: readonly HistoryItem[],
  best: number | undefined,
  tokensMost: number,
  tokensOf: (item: FittedItem) => number,
): FittedItem[] {
  const shown: (FittedItem | undefined)[] = history.map((item) => ({ item, whole: true }));
  const tokens = shown.map((entry) => (entry === undefined ? 0 : tokensOf(entry)));
  const fits = () => tokens.reduce((sum, each) => sum + each, 0) <= tokensMost;
  const replace = (at: number, entry: FittedItem | undefined) => {
    shown[at] = entry;
    tokens[at] = entry === undefined ? 0 : tokensOf(entry);
  };
  const order = [...history.keys()].filter((at) => at !== best && at !== history.length - 1);
  for (const at of order) {
    const item = history[at];
    if (fits()) break;
    if (item !== undefined) replace(at, { item, whole: false });
  }
  for (const at of order) {
    if (fits()) break;
    replace(at, undefined);
  }
  return shown.filter((entry) => entry !== undefined);
}
