// A run's state as the message that callers see. Owns views and derived fields; what the log does not know (names,
// tenant, what it waits for) is handed in.
import { optimizer, timestampFromDate } from "@promptpo/contracts";
import type { CandidateProgress } from "./candidate-progress.ts";
import type { LogState } from "./log-state.ts";
import { recordedNotices } from "./recorded.ts";
import { survey } from "./survey.ts";
import { usageMessage } from "./tally.ts";

export interface RunFacts {
  readonly tenant: string;
  readonly displayName: string;
  /** A worker has taken up a command of this run. */
  readonly started: boolean;
  /** What it waits for; empty when it waits for nothing out of the ordinary. */
  readonly waitsFor: string;
}

/** The run in full, without a digest. */
export function runView(state: LogState, facts: RunFacts): optimizer.Run {
  const { rounds, history, notices } = survey(state);
  const begun = facts.started || state.outcomes.size > 0;
  const reflections = new Map(history.map(({ round, reflection }) => [round, reflection ?? ""]));
  const current = rounds.at(-1);
  const run = optimizer.Run.fromPartial({
    id: state.runId,
    state: runState(state, begun),
    cause: state.ended?.event.cause ?? facts.waitsFor,
    round: begun ? (current?.number ?? 0) : 0,
    usage: usageMessage(state.tally),
    createTime: timestampFromDate(new Date(state.createTimeMs)),
    lastSequence: BigInt(state.sequence),
    displayName: facts.displayName,
    notices: [...recordedNotices(state.recorded), ...ownNotices(state), ...notices],
    candidateCounts: current === undefined ? [] : countStates(current.candidates, state.ended !== undefined),
    tenant: facts.tenant,
  });
  run.settings = state.settingsMessage;
  run.rounds = rounds.flatMap(({ ended, number }) =>
    ended === undefined ? [] : [{ ...ended, reflection: reflections.get(number) ?? "" }],
  );
  if (state.ended !== undefined) {
    run.endTime = timestampFromDate(new Date(state.ended.timeMs));
    if (state.ended.event.result !== undefined) run.result = state.ended.event.result;
  }
  return run;
}

/** The same without rounds' episodes and the result's source: what lists and streams carry. */
export function basicView(run: optimizer.Run): optimizer.Run {
  const brief = (score: optimizer.Score | undefined) => (score === undefined ? undefined : { ...score, episodes: [] });
  return {
    ...run,
    rounds: run.rounds.map((round) => ({ ...round, winnerScore: brief(round.winnerScore) })),
    result:
      run.result === undefined
        ? undefined
        : {
            ...run.result,
            source: "",
            selectionScore: brief(run.result.selectionScore),
            heldoutScore: brief(run.result.heldoutScore),
          },
  };
}

function runState(state: LogState, begun: boolean): optimizer.RunState {
  if (state.ended !== undefined) return state.ended.event.state;
  if (state.paused) return optimizer.RunState.RUN_STATE_PAUSED;
  return begun ? optimizer.RunState.RUN_STATE_RUNNING : optimizer.RunState.RUN_STATE_QUEUED;
}

export function candidateState(candidate: CandidateProgress, runEnded: boolean): optimizer.CandidateState {
  switch (candidate.state) {
    case "scored":
      return optimizer.CandidateState.CANDIDATE_STATE_SCORED;
    case "failed":
      return optimizer.CandidateState.CANDIDATE_STATE_FAILED;
    default:
      if (runEnded) return optimizer.CandidateState.CANDIDATE_STATE_CANCELLED;
      if (candidate.state === "asking") return optimizer.CandidateState.CANDIDATE_STATE_ASKING;
      return candidate.state === "evaluating"
        ? optimizer.CandidateState.CANDIDATE_STATE_EVALUATING
        : optimizer.CandidateState.CANDIDATE_STATE_REPAIRING;
  }
}

function countStates(candidates: readonly CandidateProgress[], runEnded: boolean): optimizer.CandidateCount[] {
  const counts = new Map<optimizer.CandidateState, number>();
  for (const candidate of candidates) {
    const state = candidateState(candidate, runEnded);
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => a - b).map(([state, count]) => ({ state, count }));
}

function ownNotices({ tally, settings }: LogState): string[] {
  const notices: string[] = [];
  if (tally.tokensEstimated) notices.push("token counts are estimates: nobody counted them");
  if (settings.budget.microUsd !== undefined && !tally.costKnown)
    notices.push("the money budget cannot be kept: the price of some answers is unknown");
  return notices;
}
