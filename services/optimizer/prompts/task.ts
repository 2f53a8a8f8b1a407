// The task prompt: observation, implementation, reward, starter code with its rules, the request.
import type { rollout } from "@promptpo/contracts";
import type { Settings } from "../core/settings.ts";
import { environmentSections } from "./parts/environment-sections.ts";
import { answerForm, objective } from "./parts/objective.ts";
import { policyCodeSection } from "./parts/policy-code.ts";

export function taskPrompt(environment: rollout.Environment, settings: Settings): string {
  return [taskSections(environment, settings), answerForm(environment.policyClass)].join("\n\n");
}

/** All but the form of the answer, which comes last in every prompt. */
export function taskSections(environment: rollout.Environment, settings: Settings): string {
  return [
    INTRODUCTION,
    environmentSections(environment, settings.rewardKind),
    policyCodeSection(environment, settings),
    "## Task",
    objective(environment, settings),
  ].join("\n\n");
}

export const INTRODUCTION =
  "You write the policy of an agent in a simulated environment: a Python class that is given an observation at every step and returns an action. The class is run in the simulator exactly as you return it.";
