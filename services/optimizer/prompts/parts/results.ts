// A policy's results in words: returns and their mean, solved episodes, the feedback on each episode.
import type { Score } from "../../core/score.ts";
import type { Settings } from "../../core/settings.ts";
import { counted, shown } from "./shown.ts";

/** One or two sentences; which episodes were solved is told where policies are compared by it. */
export function scoreSentence({ episodes, meanReturn }: Score, { selection }: Pick<Settings, "selection">): string {
  const returns = episodes.map(({ returnValue }) => shown(returnValue)).join(", ");
  const sentence = `Returns of the ${counted(episodes.length, "episode")}: ${returns}; mean ${shown(meanReturn)}.`;
  if (selection !== "mean_success") return sentence;
  const solved = episodes.filter(({ success }) => success).length;
  const each = episodes.map(({ success }) => (success ? "yes" : "no")).join(", ");
  return `${sentence} Solved: ${each}; ${solved} of ${episodes.length}.`;
}

/** A list with one entry an episode; further lines of an entry are indented. Empty where there is no feedback. */
export function feedbackList(feedback: readonly string[]): string {
  return feedback
    .map((text, at) => `- Episode ${at + 1}: ${text.trim().replace(/\r\n?/g, "\n").replaceAll("\n", "\n  ")}`)
    .join("\n");
}
