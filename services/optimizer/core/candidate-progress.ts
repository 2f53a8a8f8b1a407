// How far one candidate has come, read from its outcomes: attempts, repairs, score or failure, and what it waits for.
// Owns the repair loop. Knows nothing of other candidates.
import { type optimizer, types } from "@promptpo/contracts";
import type { Command } from "./command.ts";
import { sourceIn } from "./extract-python.ts";
import { answerIn, evaluationIn, type LogState, type Outcome, outcomesOfRound } from "./log-state.ts";
import { candidatePlace } from "./place.ts";
import { type Score, scoreOf } from "./score.ts";
import type { Strategy } from "./strategy.ts";

export interface AttemptProgress {
  readonly number: number;
  readonly place: string;
  readonly answer: optimizer.ModelAnswered | undefined;
  readonly source: string | undefined;
  readonly score: Score | undefined;
  /** What the next repair is told. */
  readonly error: types.PolicyError | undefined;
}

export interface CandidateProgress {
  readonly round: number;
  readonly index: number;
  readonly state: "asking" | "evaluating" | "repairing" | "scored" | "failed";
  readonly attempts: readonly AttemptProgress[];
  /** The latest source; undefined while there is none. */
  readonly source: string | undefined;
  /** Set when scored. */
  readonly score: Score | undefined;
  /** The policy's failure, when it failed by its own fault. */
  readonly error: types.PolicyError | undefined;
  /** Why it failed when no policy was to blame. */
  readonly cause: string | undefined;
  /** Word for counting failures: a kind of policy error, a reason, or `BUDGET`. */
  readonly failure: string | undefined;
  /** What is to be done next; undefined once scored or failed. */
  readonly command: Command | undefined;
  /** The run's budget ended before everything was asked that its settings allow. */
  readonly withheld: boolean;
}

export function candidateProgress(
  state: LogState,
  strategy: Strategy,
  round: number,
  index: number,
): CandidateProgress {
  const { settings, environment } = state;
  const outcomes = outcomesOfRound(state, round);
  const wanted = { className: environment.policyClass, method: "act" };
  const attempts: AttemptProgress[] = [];
  let source: string | undefined;

  const result = (rest: Partial<CandidateProgress> & Pick<CandidateProgress, "state">): CandidateProgress => ({
    round,
    index,
    attempts,
    source,
    score: undefined,
    error: undefined,
    cause: undefined,
    failure: undefined,
    command: undefined,
    withheld: false,
    ...rest,
  });

  for (let number = 0; ; number += 1) {
    const ask = number === 0 ? "policy" : "policy-repair";
    const place = candidatePlace(round, index, ask, number);
    const answer = answerIn(outcomes, place);
    const attempt = { number, place, answer, source: undefined, score: undefined, error: undefined };
    if (answer === undefined) {
      attempts.push(attempt);
      const sampleIndex = strategy.sampleIndex(settings, round, index);
      return result({
        state: number === 0 ? "asking" : "repairing",
        command: { kind: "model", place, ask, sampleIndex },
      });
    }
    if (answer.completion === undefined) {
      attempts.push(attempt);
      return result({
        state: "failed",
        cause: `the model call failed: ${answer.errorReason}: ${answer.errorMessage}`,
        failure: answer.errorReason,
      });
    }

    let last: Outcome | undefined = outcomes.get(place);
    let error: types.PolicyError | undefined;
    const extraction = sourceIn(answer.completion, wanted);
    if (extraction.ok) {
      source = extraction.source;
      const evaluationPlace = candidatePlace(round, index, "evaluation", number);
      const evaluated = evaluationIn(outcomes, evaluationPlace);
      if (evaluated === undefined) {
        attempts.push({ ...attempt, source });
        return result({
          state: "evaluating",
          command: { kind: "evaluate", place: evaluationPlace, source, seeds: settings.trainSeeds },
        });
      }
      last = outcomes.get(evaluationPlace);
      if (evaluated.errorReason !== "") {
        attempts.push({ ...attempt, source });
        return result({
          state: "failed",
          cause: `the evaluation failed: ${evaluated.errorReason}: ${evaluated.errorMessage}`,
          failure: evaluated.errorReason,
        });
      }
      const score = scoreOf(evaluated.episodes);
      error = evaluated.episodes.find((episode) => episode.error !== undefined)?.error;
      attempts.push({ ...attempt, source, score, error });
      if (error === undefined) return result({ state: "scored", score });
    } else {
      source = undefined;
      error = noSource(extraction.message);
      attempts.push({ ...attempt, error });
    }

    const failure = types.policyError_KindToJSON(error.kind).replace("KIND_", "");
    if (number >= settings.maxRepairs) return result({ state: "failed", error, failure });
    if (last?.closed !== undefined)
      return result({ state: "failed", error, failure: "BUDGET", cause: BUDGET_CAUSE, withheld: true });
  }
}

const BUDGET_CAUSE = "the run's budget ended before it could be repaired";

/** An answer without usable source is a failure like any other: it is repaired. */
export function noSource(message: string): types.PolicyError {
  return types.PolicyError.fromPartial({ kind: types.PolicyError_Kind.KIND_NO_CLASS, message, step: -1n });
}
