// The prompt of later rounds: the task prompt, the reflection on the latest winner, all earlier winners oldest first,
// and the request to write the policy anew for a higher return. A round without a winner adds how its policies failed.
import { type rollout, types } from "@promptpo/contracts";
import { estimateTokens, type FittedItem, fitHistory } from "../core/history.ts";
import type { Briefing } from "../core/progress.ts";
import { bestOf } from "../core/selection.ts";
import type { Settings } from "../core/settings.ts";
import { fenced } from "./parts/fenced.ts";
import { answerForm } from "./parts/objective.ts";
import { feedbackList, scoreSentence } from "./parts/results.ts";
import { counted } from "./parts/shown.ts";
import { taskSections } from "./task.ts";

export function refinePrompt(
  environment: rollout.Environment,
  settings: Settings,
  { history, failures }: Briefing,
): string {
  const reflection = history.at(-1)?.reflection;
  return [
    taskSections(environment, settings),
    ...(reflection === undefined ? [] : ["## Reflection on the latest policy", reflection]),
    ...(history.length === 0 ? [] : ["## Policies so far", ...historySections(settings, history)]),
    ...(failures.length === 0 ? [] : ["## Failures of the latest round", failureList(failures)]),
    "## Request",
    request(environment, history.length > 0),
    answerForm(environment.policyClass),
  ].join("\n\n");
}

function request({ policyClass }: rollout.Environment, known: boolean): string {
  if (!known) return `Write \`${policyClass}\` anew so that it runs without failing and reaches a high return.`;
  return `Write \`${policyClass}\` anew so that it reaches a higher return than all policies so far. Use what their results show: keep what worked, change what held them back; a different approach is welcome where it promises more.`;
}

function historySections(settings: Settings, history: Briefing["history"]): string[] {
  const best = bestOf(
    history.map(({ score }) => score),
    settings,
  );
  const latest = history.at(-1);
  const hint = history.length >= settings.bestHintAfter;
  const text = ({ item, whole }: FittedItem) =>
    [
      `### Round ${item.round}${hint && best !== undefined && item === history[best] ? " (best so far)" : ""}`,
      scoreSentence(item.score, settings),
      ...(item.feedback.length === 0 ? [] : ["Feedback on its episodes:", feedbackList(item.feedback)]),
      // The latest reflection stands above, once.
      ...(whole && item !== latest && item.reflection !== undefined ? [`Reflection: ${item.reflection}`] : []),
      ...(whole ? [fenced(item.source)] : []),
    ].join("\n\n");
  const fitted = fitHistory(history, best, settings.historyTokens, (entry) => estimateTokens(text(entry)));
  const missing = history.length - fitted.length;
  return [
    "The best policy of each earlier round, oldest first, with its results on the episodes that all policies are evaluated on.",
    ...(missing === 0 ? [] : [`(${counted(missing, "older round")} left out.)`]),
    ...fitted.map(text),
  ];
}

function failureList(failures: readonly types.PolicyError[]): string {
  const counts = new Map<string, number>();
  for (const { kind, message } of failures) {
    const cause = `${types.policyError_KindToJSON(kind).replace("KIND_", "")}: ${firstLine(message)}`;
    counts.set(cause, (counts.get(cause) ?? 0) + 1);
  }
  const lines = [...counts].map(([cause, count]) => `- ${cause} (${count === 1 ? "1 policy" : `${count} policies`})`);
  return ["No policy of the latest round could be run to its end. They failed like this:", lines.join("\n")].join(
    "\n\n",
  );
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0] ?? "";
}
