// What is left of a run that ended, for people: a folder with the learning curve, the best policy, a video, and the run as
// JSON; and the lines that say all this on a terminal.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { optimizer, toProtoJson } from "@promptpo/contracts";
import { runLines } from "../commands/print-run.ts";
import type { CommandContext } from "../context.ts";
import { formatNumber, formatShare } from "../format.ts";
import type { Scored } from "../progress/progress.ts";
import type { Session } from "../session.ts";
import { bestEpisode } from "./best-episode.ts";
import { curveOf, drawCurve } from "./learning-curve.ts";
import { measureOf } from "./measure-of.ts";
import { sparkline } from "./sparkline.ts";
import { writeVideo } from "./write-video.ts";

export interface SummaryOptions {
  readonly folder: string;
  /** `recorded answers from MODEL, DATE`, or which model answered. */
  readonly answers: string;
  readonly scored: readonly Scored[];
}

export interface Summary {
  readonly files: Readonly<Record<string, string>>;
  /** Why there is no video; empty when there is one. */
  readonly noVideo: string;
}

export async function writeSummary(
  session: Session,
  run: optimizer.Run,
  options: SummaryOptions,
  context: CommandContext,
): Promise<Summary> {
  const { folder } = options;
  mkdirSync(folder, { recursive: true });
  const files: Record<string, string> = {};
  const put = (name: string, file: string, content: string | Uint8Array): void => {
    files[name] = join(folder, file);
    writeFileSync(join(folder, file), content);
  };
  put("run", "run.json", `${JSON.stringify(toProtoJson(optimizer.Run, run), null, 2)}\n`);
  const picture = await drawCurve(curveOf(run, options.scored, options.answers));
  put("learning curve", "learning-curve.png", picture.png);
  writeFileSync(join(folder, "learning-curve.svg"), picture.svg);
  const { result, settings } = run;
  if (result === undefined || settings === undefined) return { files, noVideo: "the run has no result" };
  put("best policy", "policy.py", result.source.endsWith("\n") ? result.source : `${result.source}\n`);
  const episode =
    bestEpisode(result.heldoutScore?.episodes ?? []) ?? bestEpisode(result.selectionScore?.episodes ?? []);
  if (episode === undefined) return { files, noVideo: "no episode ended without a failure" };
  const video = join(folder, `episode-${episode.seed}.mp4`);
  context.output.note(context.output.colors.dim(`drawing the episode of seed ${episode.seed}`));
  const { why } = await writeVideo(session, settings, result.source, episode, video, context.interrupted);
  if (why === "")
    files[
      `video of seed ${episode.seed} (return ${formatNumber(episode.returnValue)}${episode.success ? ", success" : ""})`
    ] = video;
  return { files, noVideo: why };
}

export function summaryLines(run: optimizer.Run, summary: Summary, answers: string): string[] {
  const { result } = run;
  return [
    "",
    ...(result === undefined
      ? []
      : [`# the best policy, ${result.candidateId}`, "", result.source.trimEnd(), "", "# the run", ""]),
    ...runLines(run),
    "",
    curveLine(run),
    ...Object.entries(summary.files).map(([name, file]) => `${name}: ${shownPath(file)}`),
    ...(summary.noVideo === "" ? [] : [`no video: ${summary.noVideo}`]),
    answers,
  ];
}

/** Relative where that is shorter to read. */
function shownPath(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith("..") ? file : path;
}

/** The winners' scores, round by round. */
function curveLine(run: optimizer.Run): string {
  const { bySuccess, words: measure } = measureOf(run);
  const values = run.rounds.map(({ winnerScore }) =>
    winnerScore === undefined ? Number.NaN : bySuccess ? winnerScore.successRate : winnerScore.meanReturn,
  );
  const words = values.map((value) => (bySuccess ? formatShare(value) : formatNumber(value)));
  return `${measure} of the winners by round: ${sparkline(values)}  ${words.join(" ")}`;
}
