// What is known of a run from its events so far, folded one message at a time. Pure: the same messages give the same value.
import { llm, optimizer, types } from "@promptpo/contracts";

/** One evaluated policy. */
export interface Scored {
  /** `r1/c03`. */
  readonly candidate: string;
  readonly round: number;
  readonly meanReturn: number;
  readonly successRate: number;
  /** Training steps of the run when it was scored. */
  readonly trainSteps: bigint;
}

export interface Progress {
  readonly run: optimizer.Run | undefined;
  readonly scored: readonly Scored[];
  readonly best: Scored | undefined;
  /** Model and date of the first recorded answer. */
  readonly recorded: { readonly model: string; readonly date: string } | undefined;
  /** Where an answer was recorded for another prompt: place and difference. */
  readonly differences: readonly { readonly place: string; readonly numbersOnly: boolean; readonly text: string }[];
  readonly lastSequence: bigint;
}

export const noProgress: Progress = {
  run: undefined,
  scored: [],
  best: undefined,
  recorded: undefined,
  differences: [],
  lastSequence: 0n,
};

export function foldProgress(before: Progress, message: optimizer.WatchRunResponse): Progress {
  const run = message.run ?? before.run;
  const event = message.event;
  if (event === undefined) return { ...before, run };
  const after = { ...before, run, lastSequence: event.sequence };
  if (event.kind?.$case === "policyEvaluated") {
    const scored = scoreOf(event.place, event.kind.value, run?.usage?.trainSteps ?? 0n);
    if (scored === undefined) return after;
    return { ...after, scored: [...before.scored, scored], best: better(run, before.best, scored) };
  }
  if (event.kind?.$case === "modelAnswered") {
    const recorded = event.kind.value.completion?.recorded;
    if (recorded === undefined) return after;
    const { MATCH_PLACE, MATCH_MASKED_NUMBERS } = llm.RecordedAnswer_Match;
    const differs = recorded.match === MATCH_PLACE || recorded.match === MATCH_MASKED_NUMBERS;
    return {
      ...after,
      recorded: before.recorded ?? { model: recorded.model, date: recorded.date },
      differences: differs
        ? [
            ...before.differences,
            { place: event.place, numbersOnly: recorded.match !== MATCH_PLACE, text: recorded.difference },
          ]
        : before.differences,
    };
  }
  return after;
}

/** Share of the work that is done, 0..1, counted in candidates; undefined before there is anything to count by. */
export function shareDone(run: optimizer.Run | undefined): number | undefined {
  if (run?.settings === undefined) return undefined;
  const total = (run.settings.rounds ?? 0) * (run.settings.candidates ?? 0);
  if (total === 0) return undefined;
  const ended = run.rounds.reduce((sum, round) => sum + round.scoredCount + round.failedCount, 0);
  const current = run.rounds.length < run.round ? countOf(run, "SCORED") + countOf(run, "FAILED") : 0;
  return Math.min(1, (ended + current) / total);
}

/** Candidates of the current round in a state. */
export function countOf(
  run: optimizer.Run,
  state: "ASKING" | "EVALUATING" | "REPAIRING" | "SCORED" | "FAILED" | "CANCELLED",
): number {
  const wanted = optimizer.CandidateState[`CANDIDATE_STATE_${state}`];
  return run.candidateCounts.find((entry) => entry.state === wanted)?.count ?? 0;
}

/** True once a run can change no more. */
export function hasEnded(run: optimizer.Run | undefined): boolean {
  const { RUN_STATE_SUCCEEDED, RUN_STATE_FAILED, RUN_STATE_CANCELLED, RUN_STATE_STOPPED_BY_BUDGET } =
    optimizer.RunState;
  const ended: readonly optimizer.RunState[] = [
    RUN_STATE_SUCCEEDED,
    RUN_STATE_FAILED,
    RUN_STATE_CANCELLED,
    RUN_STATE_STOPPED_BY_BUDGET,
  ];
  return run !== undefined && ended.includes(run.state);
}

/** The score of a training evaluation without a failed episode; undefined for anything else. */
function scoreOf(place: string, evaluated: optimizer.PolicyEvaluated, trainSteps: bigint): Scored | undefined {
  const match = /^r(\d+)\/(c\d+)\/evaluation\/\d+$/.exec(place);
  const { episodes } = evaluated;
  if (match === null || episodes.length === 0 || episodes.some((episode) => episode.error !== undefined))
    return undefined;
  const total = episodes.reduce((sum, episode) => sum + episode.returnValue, 0);
  return {
    candidate: `r${match[1]}/${match[2]}`,
    round: Number(match[1]),
    meanReturn: total / episodes.length,
    successRate: episodes.filter((episode) => episode.success).length / episodes.length,
    trainSteps,
  };
}

/** The better one by the run's own criterion; ties stay with the earlier. */
function better(run: optimizer.Run | undefined, best: Scored | undefined, scored: Scored): Scored | undefined {
  if (Number.isNaN(scored.meanReturn)) return best;
  if (best === undefined) return scored;
  const bySuccess = run?.settings?.selection === types.Selection.SELECTION_MEAN_SUCCESS;
  if (bySuccess && scored.successRate !== best.successRate)
    return scored.successRate > best.successRate ? scored : best;
  return scored.meanReturn > best.meanReturn ? scored : best;
}
