// A candidate of a run as the message that callers see. Prompts are not in it: whoever shows them makes them anew.
import { optimizer } from "@promptpo/contracts";
import { candidateId } from "./candidate-id.ts";
import type { CandidateProgress } from "./candidate-progress.ts";
import { type LogState, outcomesOfRound } from "./log-state.ts";
import { parsePlace } from "./place.ts";
import type { RoundProgress } from "./progress.ts";
import { candidateState } from "./run-view.ts";
import { scoreMessage } from "./score.ts";
import { survey } from "./survey.ts";
import { count, EMPTY_TALLY, usageMessage } from "./tally.ts";

/** Every candidate so far, by round, then index. */
export function candidatesOf(state: LogState): { round: RoundProgress; candidate: CandidateProgress }[] {
  return survey(state).rounds.flatMap((round) => round.candidates.map((candidate) => ({ round, candidate })));
}

/** A candidate without source and attempts. */
export function basicCandidate(
  state: LogState,
  round: RoundProgress,
  candidate: CandidateProgress,
): optimizer.Candidate {
  const { index, score, error, cause } = candidate;
  const message = optimizer.Candidate.fromPartial({
    id: candidateId({ runId: state.runId, round: round.number, index }),
    round: round.number,
    index,
    state: candidateState(candidate, state.ended !== undefined),
    winner: round.winner === index,
    cause: cause ?? "",
  });
  if (score !== undefined) message.score = scoreMessage(score);
  if (error !== undefined) message.error = error;
  let tally = EMPTY_TALLY;
  for (const [place, { kind }] of outcomesOfRound(state, round.number))
    if (parsePlace(place)?.who === index) tally = count(tally, place, kind);
  message.usage = usageMessage(tally);
  return message;
}

/** With source and attempts; `messages` of each attempt are empty. */
export function fullCandidate(
  state: LogState,
  round: RoundProgress,
  candidate: CandidateProgress,
): optimizer.Candidate {
  const message = basicCandidate(state, round, candidate);
  message.source = candidate.source ?? "";
  message.attempts = candidate.attempts.map(({ number, place, answer, source, score, error }) => ({
    number,
    place,
    messages: [],
    completion: answer?.completion,
    source: source ?? "",
    score: score === undefined ? undefined : scoreMessage(score),
    error,
  }));
  return message;
}
