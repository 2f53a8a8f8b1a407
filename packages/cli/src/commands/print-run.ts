// A run in text: what it is, each round's winner, and its result with selection and held-out score side by side.
import { optimizer, type types } from "@promptpo/contracts";
import { enumWord, formatNumber, formatShare } from "../format.ts";
import type { Output } from "../output.ts";
import { spentWords } from "../progress/progress-lines.ts";
import { table } from "../table.ts";

export function printRun(run: optimizer.Run, output: Output, full = false): void {
  for (const line of runLines(run)) output.data(line);
  if (full && run.result !== undefined) {
    output.data("");
    output.data(run.result.source.trimEnd());
  }
}

export function runLines(run: optimizer.Run): string[] {
  const state = enumWord(optimizer.runStateToJSON(run.state), "RUN_STATE");
  const { settings } = run;
  return [
    `${run.id}${run.displayName === "" ? "" : ` "${run.displayName}"`}: ${settings?.environment ?? ""} with ${settings?.model ?? ""}, ${state}${run.cause === "" ? "" : `: ${run.cause}`}`,
    `round ${run.round} of ${settings?.rounds ?? 0}, ${settings?.candidates ?? 0} candidates a round · ${spentWords(run.usage)}`,
    ...run.notices.map((notice) => `note: ${notice}`),
    ...(run.rounds.length === 0 ? [] : roundTable(run.rounds)),
    ...(run.result === undefined ? [] : scoreTable(run.result)),
    ...(run.digest === "" ? [] : [`log digest ${run.digest}`]),
  ];
}

/** Selection and held-out score side by side: the first is biased upward, since it chose the winner. */
export function scoreTable(result: optimizer.RunResult): string[] {
  const words = (score: optimizer.Score | undefined, of: (score: optimizer.Score) => string) =>
    score === undefined ? "none" : of(score);
  const episodes = (score: optimizer.Score) => String(score.episodes.length);
  const rows: [string, (score: optimizer.Score) => string][] = [
    ["mean return", (score) => formatNumber(score.meanReturn)],
    ["success", (score) => formatShare(score.successRate)],
    ["episodes", episodes],
  ];
  return table(
    [{ title: `best: ${result.candidateId}` }, { title: "selection", right: true }, { title: "held-out", right: true }],
    rows
      .map(([name, of]) => [name, words(result.selectionScore, of), words(result.heldoutScore, of)])
      .filter((row) => row[0] !== "episodes" || row[1] !== "0"),
  );
}

function roundTable(rounds: readonly optimizer.Round[]): string[] {
  return table(
    [
      { title: "round", right: true },
      { title: "winner" },
      { title: "return", right: true },
      { title: "success", right: true },
      { title: "scored", right: true },
      { title: "failed", right: true },
      { title: "steps so far", right: true },
    ],
    rounds.map((round) => [
      String(round.number),
      round.winnerId === "" ? "none" : round.winnerId.split("/").slice(-2).join("/"),
      round.winnerScore === undefined ? "" : formatNumber(round.winnerScore.meanReturn),
      round.winnerScore === undefined ? "" : formatShare(round.winnerScore.successRate),
      String(round.scoredCount),
      String(round.failedCount),
      String(round.trainStepsTotal),
    ]),
  );
}

export function episodeWords(episodes: readonly types.EpisodeResult[]): string {
  return episodes
    .map((episode) => `${episode.seed}: ${episode.error === undefined ? formatNumber(episode.returnValue) : "failed"}`)
    .join(", ");
}
