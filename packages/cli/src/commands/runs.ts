// The commands that look at runs or steer them: watch, list, get, show, cancel.
import { optimizer, toProtoJson, types } from "@promptpo/contracts";
import type { CommandContext } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { enumWord, formatNumber, formatShare } from "../format.ts";
import { openSession } from "../session.ts";
import { table } from "../table.ts";
import { episodeWords, printRun } from "./print-run.ts";
import { watchToEnd } from "./run.ts";

export async function watch(id: string, context: CommandContext): Promise<ExitCode> {
  await using session = await openSession(context);
  return await watchToEnd(session, id, context);
}

export interface ListOptions {
  readonly filter?: string;
  readonly limit?: string;
}

export async function list(options: ListOptions, context: CommandContext): Promise<ExitCode> {
  await using session = await openSession(context);
  const limit = Math.max(1, Number(options.limit ?? 100) || 100);
  const found: optimizer.Run[] = [];
  for (let pageToken = ""; found.length < limit; ) {
    const request = optimizer.ListRunsRequest.fromPartial({
      pageToken,
      pageSize: Math.min(100, limit - found.length),
      filter: options.filter ?? "",
    });
    const page = await session.optimizer.listRuns(request, { signal: context.interrupted });
    found.push(...page.runs);
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  if (context.json) {
    for (const run of found) context.output.data(JSON.stringify(toProtoJson(optimizer.Run, run)));
    return EXIT.ok;
  }
  const rows = found.map((run) => [
    run.id,
    run.settings?.environment ?? "",
    run.settings?.model ?? "",
    enumWord(optimizer.runStateToJSON(run.state), "RUN_STATE"),
    `${run.round}/${run.settings?.rounds ?? 0}`,
    bestWords(run),
    run.displayName,
  ]);
  const columns = ["run", "environment", "model", "state", "round", "best", "name"];
  for (const line of table(
    columns.map((title) => ({ title })),
    rows,
  ))
    context.output.data(line);
  if (found.length === 0) context.output.note("no runs yet: promptpo run ENV --model NAME");
  return EXIT.ok;
}

export interface GetOptions {
  readonly digest?: boolean;
  readonly full?: boolean;
}

/** A run, or a candidate by its id `RUN/r1/c03`. */
export async function get(name: string, options: GetOptions, context: CommandContext): Promise<ExitCode> {
  if (name.includes("/")) return show(name, context);
  await using session = await openSession(context);
  const view = options.full === true ? optimizer.RunView.RUN_VIEW_FULL : optimizer.RunView.RUN_VIEW_BASIC;
  const response = await session.optimizer.getRun(optimizer.GetRunRequest.fromPartial({ runId: name, view }), {
    signal: context.interrupted,
  });
  const { run } = response;
  if (options.digest === true)
    context.output.data(context.json ? JSON.stringify({ digest: run?.digest ?? "" }) : (run?.digest ?? ""));
  else if (context.json) context.output.data(JSON.stringify(toProtoJson(optimizer.GetRunResponse, response)));
  else if (run !== undefined) printRun(run, context.output, options.full === true);
  return EXIT.ok;
}

export async function show(id: string, context: CommandContext): Promise<ExitCode> {
  await using session = await openSession(context);
  const view = optimizer.CandidateView.CANDIDATE_VIEW_FULL;
  const response = await session.optimizer.getCandidate(
    optimizer.GetCandidateRequest.fromPartial({ candidateId: id, view }),
    { signal: context.interrupted },
  );
  if (context.json) context.output.data(JSON.stringify(toProtoJson(optimizer.GetCandidateResponse, response)));
  else if (response.candidate !== undefined)
    for (const line of candidateLines(response.candidate)) context.output.data(line);
  return EXIT.ok;
}

export interface CancelOptions {
  readonly reason?: string;
}

export async function cancel(id: string, { reason }: CancelOptions, context: CommandContext): Promise<ExitCode> {
  await using session = await openSession(context);
  const request = optimizer.CancelRunRequest.fromPartial({ runId: id, reason: reason ?? "" });
  const response = await session.optimizer.cancelRun(request, { signal: context.interrupted });
  if (context.json) context.output.data(JSON.stringify(toProtoJson(optimizer.CancelRunResponse, response)));
  else context.output.data(`${id}: ${enumWord(optimizer.runStateToJSON(response.run?.state ?? 0), "RUN_STATE")}`);
  return EXIT.ok;
}

function bestWords(run: optimizer.Run): string {
  const scores = [run.result?.selectionScore, ...run.rounds.map((round) => round.winnerScore)].filter(
    (score) => score !== undefined,
  );
  const [best] = scores.sort((a, b) => b.successRate - a.successRate || b.meanReturn - a.meanReturn);
  return best === undefined ? "" : `${formatNumber(best.meanReturn)} (success ${formatShare(best.successRate)})`;
}

function candidateLines(candidate: optimizer.Candidate): string[] {
  const state = enumWord(optimizer.candidateStateToJSON(candidate.state), "CANDIDATE_STATE");
  const failure = candidate.cause !== "" ? candidate.cause : candidate.error?.message;
  return [
    `${candidate.id}: ${state}${candidate.winner ? ", winner of its round" : ""}${failure === undefined || failure === "" ? "" : `: ${failure}`}`,
    ...(candidate.score === undefined
      ? []
      : [
          `return ${formatNumber(candidate.score.meanReturn)}, success ${formatShare(candidate.score.successRate)} (${episodeWords(candidate.score.episodes)})`,
        ]),
    ...candidate.attempts.map((attempt) => {
      const kind =
        attempt.error === undefined
          ? ""
          : `: ${enumWord(types.policyError_KindToJSON(attempt.error.kind), "KIND")}: ${attempt.error.message}`;
      return `attempt ${attempt.number} (${attempt.place})${kind}`;
    }),
    "",
    candidate.source.trimEnd(),
  ];
}
