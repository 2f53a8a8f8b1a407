// What a policy is to reach, and the form of the answer. Said in every prompt that asks for a policy.
import type { rollout } from "@promptpo/contracts";
import type { Settings } from "../../core/settings.ts";

export function objective({ policyClass, horizon }: rollout.Environment, { selection }: Settings): string {
  const aim = `Write \`${policyClass}\` so that the expected sum of rewards over an episode of at most ${horizon} steps is as large as possible.`;
  return selection === "mean_success" ? `${aim} ${SUCCESS}` : aim;
}

/** For families that are scored by success: what that means. */
export const SUCCESS =
  "An episode is solved when the condition for success, given above, holds at any of its steps; policies are compared by the share of solved episodes first, and by the mean sum of rewards where that is equal.";

export function answerForm(className: string): string {
  return `Think first. Then return the complete code in exactly one \`\`\`python block that defines \`${className}\` together with everything it needs: imports, constants, helper functions. Only that block is run.`;
}
