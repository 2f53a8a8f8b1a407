// ListRounds, ListCandidates, GetCandidate: what a run's log says of its rounds and candidates. Prompts are made anew
// from the log and shown only where they are, to the last letter, the ones that were answered.
import { type llm, optimizer } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import { parseCandidateId } from "../core/candidate-id.ts";
import { basicCandidate, candidatesOf, fullCandidate } from "../core/candidate-view.ts";
import { enumValue, pageSize, pageToken, parseFilter, readPageToken } from "../core/filter.ts";
import { answerIn, type LogState, outcomesOfRound } from "../core/log-state.ts";
import { runView } from "../core/run-view.ts";
import { messagesDigest, promptFor } from "../prompts/prompt-for.ts";
import { ownedRun } from "./owned-run.ts";
import type { HandlerPorts, OptimizerHandler } from "./ports.ts";

const { CANDIDATE_VIEW_FULL } = optimizer.CandidateView;

export function listRounds({ runs }: HandlerPorts): OptimizerHandler<"listRounds"> {
  return async ({ runId, pageSize: asked, pageToken: token }, { tenant }) => {
    const { state, facts } = await ownedRun(runs, runId, tenant);
    const { items, nextPageToken } = page(runView(state, facts).rounds, pageSize(asked, 100, 1000), token, runId);
    return { rounds: items, nextPageToken };
  };
}

export function listCandidates({ runs }: HandlerPorts): OptimizerHandler<"listCandidates"> {
  return async (request, { tenant }) => {
    const { state } = await ownedRun(runs, request.runId, tenant);
    const { round, state: word } = parseFilter(request.filter, ["round", "state"]);
    if (round !== undefined && !/^\d{1,6}$/.test(round))
      throw new FleetError("INVALID_PAGE", `round must be a number, received ${round}`);
    const wanted =
      word === undefined ? undefined : enumValue("state", word, "CANDIDATE_STATE_", optimizer.CandidateState);
    const full = request.view === CANDIDATE_VIEW_FULL;
    const found = candidatesOf(state)
      .filter((entry) => round === undefined || entry.round.number === Number(round))
      .filter((entry) => wanted === undefined || basicCandidate(state, entry.round, entry.candidate).state === wanted);
    // A full candidate holds every prompt and answer: fewer of them fit into a message.
    const limit = full ? pageSize(request.pageSize, 10, 50) : pageSize(request.pageSize, 100, 1000);
    const of = JSON.stringify([request.runId, request.filter]);
    const { items, nextPageToken } = page(found, limit, request.pageToken, of);
    const candidates = items.map(({ round: its, candidate }) =>
      full ? withPrompts(state, fullCandidate(state, its, candidate)) : basicCandidate(state, its, candidate),
    );
    return { candidates, nextPageToken };
  };
}

export function getCandidate({ runs }: HandlerPorts): OptimizerHandler<"getCandidate"> {
  return async ({ candidateId, view }, { tenant }) => {
    const unknown = (why: string) => new FleetError("UNKNOWN_CANDIDATE", why, { metadata: { candidate: candidateId } });
    const key = parseCandidateId(candidateId);
    if (key === undefined)
      throw unknown(`${JSON.stringify(candidateId)} is no candidate's id; they look like run-0123456789/r1/c00`);
    const { state } = await ownedRun(runs, key.runId, tenant);
    const found = candidatesOf(state).find(
      ({ round, candidate }) => round.number === key.round && candidate.index === key.index,
    );
    if (found === undefined) throw unknown(`the run ${key.runId} has no candidate ${candidateId} so far`);
    const candidate =
      view === CANDIDATE_VIEW_FULL
        ? withPrompts(state, fullCandidate(state, found.round, found.candidate))
        : basicCandidate(state, found.round, found.candidate);
    return { candidate };
  };
}

function withPrompts(state: LogState, candidate: optimizer.Candidate): optimizer.Candidate {
  const outcomes = outcomesOfRound(state, candidate.round);
  const messagesOf = (place: string): llm.Message[] => {
    const messages = promptFor(state, place);
    const answer = answerIn(outcomes, place);
    // A later version words prompts otherwise: what was never sent is not shown.
    return answer === undefined || answer.messagesSha256 === messagesDigest(messages) ? messages : [];
  };
  return {
    ...candidate,
    attempts: candidate.attempts.map((attempt) => ({ ...attempt, messages: messagesOf(attempt.place) })),
  };
}

function page<T>(all: readonly T[], limit: number, token: string, of: string): { items: T[]; nextPageToken: string } {
  const from = Number(readPageToken(token, of, 1)?.[0] ?? 0);
  const items = all.slice(from, from + limit);
  const more = from + limit < all.length;
  return { items, nextPageToken: more ? pageToken(of, [String(from + limit)]) : "" };
}
