// What a run's event log says, folded: outcomes by place, counts, controls. The type, and reading from it.
// A state is immutable and is a function of the events alone; it holds no decision that `survey` could make from it.
import type { optimizer, rollout } from "@promptpo/contracts";
import { parsePlace } from "./place.ts";
import type { Recorded } from "./recorded.ts";
import type { Settings } from "./settings.ts";
import type { Tally } from "./tally.ts";

/** Which limit was met first. `gateway`: a budget that the gateway keeps. */
export type Closure = "micro_usd" | "tokens" | "steps" | "wall_time" | "gateway";

export interface Outcome {
  readonly place: string;
  readonly kind: NonNullable<optimizer.Event["kind"]>;
  /**
   * The limit that had been met once this outcome was in; undefined: none. Whether something may be asked for is decided
   * by the outcome that leads to it, so that what was once asked for stays asked for.
   */
  readonly closed: Closure | undefined;
}

export interface LogState {
  readonly runId: string;
  readonly settings: Settings;
  /** The settings as they were given and filled in. */
  readonly settingsMessage: optimizer.RunSettings;
  /** The environment with its texts, as they were when the run was created. */
  readonly environment: rollout.Environment;
  readonly promptVersion: string;
  readonly createTimeMs: number;
  /** Sequence number of the last event folded in. */
  readonly sequence: number;
  /** Round (`0`, `1`, .. or `final`) -> place -> outcome. By round, so that adding one copies little. */
  readonly outcomes: ReadonlyMap<number | "final", ReadonlyMap<string, Outcome>>;
  readonly tally: Tally;
  readonly recorded: Recorded;
  readonly closed: Closure | undefined;
  readonly controlCount: number;
  readonly paused: boolean;
  /** Set once somebody cancelled the run: why, by the caller's word. */
  readonly cancelled: { readonly reason: string } | undefined;
  readonly ended: { readonly event: optimizer.RunEnded; readonly timeMs: number } | undefined;
}

const NONE: ReadonlyMap<string, Outcome> = new Map();

export function outcomesOfRound(state: LogState, round: number | "final"): ReadonlyMap<string, Outcome> {
  return state.outcomes.get(round) ?? NONE;
}

export function outcomeAt(state: LogState, place: string): Outcome | undefined {
  const round = parsePlace(place)?.round;
  return round === undefined ? undefined : state.outcomes.get(round)?.get(place);
}

/** The model's answer at a place; undefined while there is none. */
export function answerIn(outcomes: ReadonlyMap<string, Outcome>, place: string): optimizer.ModelAnswered | undefined {
  const kind = outcomes.get(place)?.kind;
  return kind?.$case === "modelAnswered" ? kind.value : undefined;
}

export function evaluationIn(
  outcomes: ReadonlyMap<string, Outcome>,
  place: string,
): optimizer.PolicyEvaluated | undefined {
  const kind = outcomes.get(place)?.kind;
  return kind?.$case === "policyEvaluated" ? kind.value : undefined;
}

export function summaryIn(
  outcomes: ReadonlyMap<string, Outcome>,
  place: string,
): optimizer.TrajectoriesSummarized | undefined {
  const kind = outcomes.get(place)?.kind;
  return kind?.$case === "trajectoriesSummarized" ? kind.value : undefined;
}
