// The strategies: values that say how a run's answers are asked for. `survey` reads them; it knows none by name.
// A strategy owns the shape of a run and what its prompts may see. It refuses to know prompts' words, clocks, storage.
import type { Settings } from "./settings.ts";

export interface Strategy {
  readonly name: string;
  /** How many rounds of how many candidates a run has. */
  shape(settings: Settings): { readonly rounds: number; readonly candidates: number };
  /** Whether a round's prompt shows what earlier rounds brought: winners, their summaries, reflections, failures. */
  readonly learns: boolean;
  /** Sample index of a candidate's calls within the run's namespace. Two equal prompts need two indices. */
  sampleIndex(settings: Settings, round: number, index: number): number;
  /** How many rounds in a row may be without a working candidate before the run fails. */
  barrenRoundsMost(settings: Settings): number;
}

/** The published method: N candidates a round from one prompt that shows all earlier winners. */
const promptpo: Strategy = {
  name: "promptpo",
  shape: ({ rounds, candidates }) => ({ rounds, candidates }),
  learns: true,
  sampleIndex: (_settings, _round, index) => index,
  barrenRoundsMost: () => 2,
};

/** The same number of answers, all from the task prompt: what refinement has to beat. */
const bestOfN: Strategy = {
  name: "best-of-n",
  shape: ({ rounds, candidates }) => ({ rounds, candidates }),
  learns: false,
  // Every round's prompt is the same, so its answers are told apart by their index alone.
  sampleIndex: ({ candidates }, round, index) => (round - 1) * candidates + index,
  barrenRoundsMost: () => 2,
};

/** The same number of answers, one after another, each seeing the one before. */
const sequential: Strategy = {
  name: "sequential",
  shape: ({ rounds, candidates }) => ({ rounds: rounds * candidates, candidates: 1 }),
  learns: true,
  sampleIndex: () => 0,
  // As many failing candidates in a row as two rounds of the published method hold.
  barrenRoundsMost: ({ candidates }) => 2 * candidates,
};

export const STRATEGIES: readonly Strategy[] = [promptpo, bestOfN, sequential];

/** The strategy of compiled settings, whose name was checked when the run was created. */
export function strategyOf(settings: Settings): Strategy {
  const found = STRATEGIES.find(({ name }) => name === settings.strategy);
  if (found === undefined) throw new TypeError(`no strategy is called ${settings.strategy}`);
  return found;
}
