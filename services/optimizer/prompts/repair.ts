// The repair prompt: the task's texts, the failing source, what failed, the request for the whole fixed class.
// Nothing about other candidates or earlier rounds is in it.
import type { rollout } from "@promptpo/contracts";
import type { Settings } from "../core/settings.ts";
import { environmentSections } from "./parts/environment-sections.ts";
import { type Failure, policyFailure } from "./parts/failure.ts";
import { fenced } from "./parts/fenced.ts";
import { answerForm, objective } from "./parts/objective.ts";
import { policyCodeSection } from "./parts/policy-code.ts";
import { INTRODUCTION } from "./task.ts";

export interface BrokenPolicy extends Failure {
  /** undefined: the answer held no usable code. */
  readonly source: string | undefined;
  /** The answer was cut off at its length limit. */
  readonly cutOff: boolean;
}

export function repairPrompt(environment: rollout.Environment, settings: Settings, broken: BrokenPolicy): string {
  const { policyClass } = environment;
  return [
    `${INTRODUCTION} A first version of it failed; you are asked to mend it.`,
    environmentSections(environment, settings.rewardKind),
    policyCodeSection(environment, settings),
    "## The failing code",
    broken.source === undefined ? "The answer held no code that could be used." : fenced(broken.source),
    "## What failed",
    policyFailure(broken),
    ...(broken.cutOff ? [CUT_OFF] : []),
    "## Request",
    `Find the cause, mend it, and make sure that nothing else can fail in the same way. ${objective(environment, settings)}`,
    answerForm(policyClass),
  ].join("\n\n");
}

export const CUT_OFF = "The answer was cut off at its length limit before it was complete: keep the next one shorter.";
