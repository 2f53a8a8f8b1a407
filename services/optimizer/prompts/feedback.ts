// The prompt for the feedback program, and the one that has it repaired: the task's texts, the class to write, what it
// is given, what its text is for.
import type { rollout } from "@promptpo/contracts";
import type { BrokenProgram } from "../core/feedback-progress.ts";
import { FEEDBACK_LIMITS, SUMMARY_BYTES_MOST } from "../core/policy-limits.ts";
import type { Settings } from "../core/settings.ts";
import { environmentSections } from "./parts/environment-sections.ts";
import { feedbackFailure } from "./parts/failure.ts";
import { fenced } from "./parts/fenced.ts";
import { answerForm } from "./parts/objective.ts";
import { IMPORTS } from "./parts/policy-code.ts";

export function feedbackPrompt(environment: rollout.Environment, settings: Settings): string {
  return [INTRODUCTION, sections(environment, settings), request(settings), answerForm("Feedback")].join("\n\n");
}

export function feedbackRepairPrompt(
  environment: rollout.Environment,
  settings: Settings,
  { source, error }: BrokenProgram,
): string {
  return [
    `${INTRODUCTION} A first version of it failed; you are asked to mend it.`,
    sections(environment, settings),
    request(settings),
    "## The failing code",
    source === undefined ? "The answer held no code that could be used." : fenced(source),
    "## What failed",
    feedbackFailure(error),
    "## Request",
    "Find the cause, mend it, and return the whole class.",
    answerForm("Feedback"),
  ].join("\n\n");
}

const INTRODUCTION =
  "A language model writes the policy of an agent in a simulated environment, as Python code, and improves it over several rounds. Between rounds it is shown the return of each episode and a short text about it. You write the program that makes this text: a Python class that reads the observations of one episode.";

function sections(environment: rollout.Environment, settings: Settings): string {
  return [environmentSections(environment, settings.rewardKind), programSection(environment)].join("\n\n");
}

function programSection({ horizon }: rollout.Environment): string {
  return [
    "## Your code",
    "Start from this:",
    fenced(STARTER),
    "How it is run:",
    [
      "- `traj` is a list with the observations of one episode in time order, each as the policy was given it before a step: `traj[0]` is the first one, `traj[-1]` the one before the last step. They have the fields described above as attributes; arrays are read-only.",
      `- An episode has at least 1 and at most ${horizon} observations. Rewards and actions are not in it, nor is the observation after the last step.`,
      "- A new `Feedback()` is made for every episode.",
      `- ${IMPORTS}`,
      `- Limits: ${FEEDBACK_LIMITS.callCpuS} s of CPU time for an episode. The text is a str of at most ${SUMMARY_BYTES_MOST} bytes.`,
    ].join("\n"),
  ].join("\n\n");
}

const STARTER = `import numpy as np


class Feedback:
    def summarize_trajectory(self, traj):
        # traj: list of observation objects, one a step.
        # Returns a short str.
        raise NotImplementedError`;

function request({ selection }: Settings): string {
  const success =
    selection === "mean_success"
      ? " An episode is solved when the condition for success, given above, holds at any of its steps: say how close the episode came to it, and when."
      : "";
  return [
    "## Task",
    `Write \`Feedback\` so that its text helps to improve the policy: brief statistics of what the agent did and how far it came, of the kind that somebody would want to know who sees only the return. Everything in it must follow from the observations.${success}`,
    "Keep it to a few lines. Give numbers with their units where they have some, round them to a few digits, and name what they are in plain words, without obscure abbreviations. The reader knows the texts above and the policy's code, not yours.",
  ].join("\n\n");
}
