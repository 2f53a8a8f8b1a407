// The reflection prompt: reward, feedback on the latest winner, its source and returns, the returns of earlier rounds;
// asks for three or four sentences and no code.
import type { rollout } from "@promptpo/contracts";
import type { HistoryItem } from "../core/progress.ts";
import type { Settings } from "../core/settings.ts";
import { rewardSection } from "./parts/environment-sections.ts";
import { fenced } from "./parts/fenced.ts";
import { feedbackList, scoreSentence } from "./parts/results.ts";

export function reflectionPrompt(
  environment: rollout.Environment,
  settings: Settings,
  history: readonly HistoryItem[],
): string {
  const latest = history.at(-1);
  if (latest === undefined) throw new TypeError("there is nothing to reflect on");
  const earlier = history.slice(0, -1);
  return [
    "The policy of an agent in a simulated environment is written as Python code and improved round by round. You assess the latest policy, so that the next one becomes better.",
    rewardSection(environment, settings.rewardKind),
    ...(settings.selection === "mean_success" ? [SUCCESS] : []),
    ...(latest.feedback.length === 0 ? [] : ["## Feedback on its episodes", feedbackList(latest.feedback)]),
    "## The latest policy",
    fenced(latest.source),
    "## Its results",
    scoreSentence(latest.score, settings),
    "## Results of earlier rounds",
    earlier.length === 0
      ? "There are none: this is the first policy."
      : earlier.map(({ round, score }) => `- Round ${round}: ${scoreSentence(score, settings)}`).join("\n"),
    "## Request",
    `Reply in three or four sentences of plain text. The first one compares the latest policy with ${earlier.length === 0 ? "what the reward allows" : "the earlier ones"} by its numbers; if it did poorly, say so plainly. The others say what in its behaviour or code is the likely cause, and what the next policy should do differently. Write no code.`,
  ].join("\n\n");
}

const SUCCESS =
  "An episode is solved when the task's condition for success holds at any of its steps; policies are compared by the share of solved episodes first, and by the mean sum of rewards where that is equal.";
