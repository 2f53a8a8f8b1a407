// A run's progress in words: one line an event that a person cares about, and a block of lines for a terminal. Pure.
import { optimizer, timestampToDate } from "@promptpo/contracts";
import { enumWord, formatCost, formatCount, formatNumber, formatShare, formatTime, formatTokens } from "../format.ts";
import { countOf, hasEnded, type Progress, type Scored, shareDone } from "./progress.ts";

/** Lines to print for a message, given what was known before and after it. */
export function eventLines(message: optimizer.WatchRunResponse, after: Progress): string[] {
  const { event } = message;
  if (event?.kind === undefined) return [];
  const { kind, place } = event;
  switch (kind.$case) {
    case "runCreated":
      return [createdLine(after.run)];
    case "modelAnswered":
      if (kind.value.completion === undefined)
        return [`${place}: no answer: ${kind.value.errorMessage} (${kind.value.errorReason})`];
      return differenceLines(after, place);
    case "policyEvaluated":
      return [evaluationLine(place, kind.value, after)];
    case "trajectoriesSummarized":
      return kind.value.error === undefined
        ? []
        : [`${place}: the feedback program failed: ${kind.value.error.message}`];
    case "roundEnded":
      return [roundLine(kind.value.round, event, after)];
    case "runEnded":
      return [
        `run ${enumWord(optimizer.runStateToJSON(kind.value.state), "RUN_STATE")}${kind.value.cause === "" ? "" : `: ${kind.value.cause}`}`,
      ];
    case "runControlled": {
      const action = enumWord(optimizer.runControlled_ActionToJSON(kind.value.action), "ACTION");
      return [`${action} asked for${kind.value.reason === "" ? "" : `: ${kind.value.reason}`}`];
    }
  }
}

/** What a terminal shows in place while a run goes on. `elapsedMs` is since the run's creation. */
export function regionLines(progress: Progress, elapsedMs: number): string[] {
  const { run, best } = progress;
  if (run === undefined) return ["waiting for the run"];
  const state = hasEnded(run) ? enumWord(optimizer.runStateToJSON(run.state), "RUN_STATE") : phaseOf(run);
  return [
    `${headline(progress)} · ${state} · ${formatTime(elapsedMs)}${leftWords(run, elapsedMs)}`,
    `  candidates  ${countWords(run)}`,
    `  best        ${best === undefined ? "none yet" : `${scoreWords(best)} (${best.candidate})`}`,
    `  spent       ${spentWords(run.usage)}`,
    ...(run.cause !== "" && !hasEnded(run) ? [`  waits       ${run.cause}`] : []),
  ];
}

/** Time that a run will take still, by what it took so far; undefined before there is anything to judge by. */
export function timeLeftMs(run: optimizer.Run | undefined, elapsedMs: number): number | undefined {
  const share = shareDone(run);
  if (share === undefined || share === 0 || hasEnded(run)) return undefined;
  return (elapsedMs * (1 - share)) / share;
}

export function spentWords(usage: optimizer.RunUsage | undefined): string {
  const calls = usage?.callCount ?? 0n;
  const free = usage?.freeCallCount ?? 0n;
  return [
    `${formatCount(calls)} model calls${free > 0n ? ` (${formatCount(free)} from cache or recording)` : ""}`,
    formatTokens(usage?.tokens),
    formatCost(usage?.cost),
    `${formatCount(usage?.trainSteps ?? 0n)} environment steps`,
  ].join(" · ");
}

function createdLine(run: optimizer.Run | undefined): string {
  const settings = run?.settings;
  return `run ${run?.id ?? ""}: ${settings?.environment ?? ""} with ${settings?.model ?? ""}, ${settings?.rounds ?? 0} rounds of ${settings?.candidates ?? 0} candidates`;
}

function headline({ run }: Progress): string {
  const settings = run?.settings;
  return `${settings?.environment ?? ""} · ${settings?.model ?? ""} · round ${run?.round ?? 0} of ${settings?.rounds ?? 0}`;
}

function phaseOf(run: optimizer.Run): string {
  if (run.state !== optimizer.RunState.RUN_STATE_RUNNING)
    return enumWord(optimizer.runStateToJSON(run.state), "RUN_STATE");
  return run.rounds.length >= (run.settings?.rounds ?? 0) ? "held-out episodes" : "running";
}

function leftWords(run: optimizer.Run, elapsedMs: number): string {
  const left = timeLeftMs(run, elapsedMs);
  return left === undefined ? "" : `, about ${formatTime(left)} left`;
}

function countWords(run: optimizer.Run): string {
  const words = (["ASKING", "EVALUATING", "REPAIRING", "SCORED", "FAILED", "CANCELLED"] as const)
    .map((state) => [countOf(run, state), state.toLowerCase()] as const)
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${count} ${word}`);
  return words.length === 0 ? "none yet" : words.join(", ");
}

function scoreWords(scored: Scored): string {
  return `return ${formatNumber(scored.meanReturn)}, success ${formatShare(scored.successRate)}`;
}

function evaluationLine(place: string, evaluated: optimizer.PolicyEvaluated, after: Progress): string {
  const who = place.split("/").slice(0, 2).join("/");
  if (evaluated.errorReason !== "")
    return `${who}: not evaluated: ${evaluated.errorMessage} (${evaluated.errorReason})`;
  const failed = evaluated.episodes.find((episode) => episode.error !== undefined);
  if (failed?.error !== undefined) return `${who}: failed on seed ${failed.seed}: ${failed.error.message}`;
  const scored = after.scored.at(-1);
  if (place.endsWith("/heldout/0") || scored === undefined || scored.candidate !== who)
    return `held-out episodes: ${evaluated.episodes.length} done`;
  return `${who}: ${scoreWords(scored)}${after.best === scored ? ", the best so far" : ""}`;
}

function roundLine(round: optimizer.Round | undefined, event: optimizer.Event, after: Progress): string {
  if (round === undefined) return "round ended";
  const counts = `${round.scoredCount} scored, ${round.failedCount} failed`;
  const score = round.winnerScore;
  const winner =
    score === undefined || round.winnerId === ""
      ? "no winner"
      : `winner ${round.winnerId.split("/").slice(-2).join("/")} with return ${formatNumber(score.meanReturn)}, success ${formatShare(score.successRate)}`;
  return `round ${round.number} of ${after.run?.settings?.rounds ?? "?"} ended: ${counts}; ${winner}; ${spentWords(after.run?.usage)}${leftAt(event, after.run)}`;
}

/** Time left as it looked when the event was written, so that a run watched later reads the same. */
function leftAt(event: optimizer.Event, run: optimizer.Run | undefined): string {
  if (run?.createTime === undefined || event.createTime === undefined) return "";
  const elapsedMs = timestampToDate(event.createTime).getTime() - timestampToDate(run.createTime).getTime();
  const left = timeLeftMs(run, elapsedMs);
  return left === undefined || left === 0 ? "" : `; about ${formatTime(left)} left`;
}

/** The last answer's difference from what was recorded, as far as it is this place's. */
function differenceLines(after: Progress, place: string): string[] {
  const difference = after.differences.at(-1);
  if (difference === undefined || difference.place !== place) return [];
  const what = difference.numbersOnly
    ? "differs from the recorded prompt in numbers only"
    : "WARNING: is not the recorded prompt; the demonstration goes on with the answer recorded for this place";
  return [
    `${place}: ${what}`,
    ...difference.text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => `    ${line}`),
  ];
}
