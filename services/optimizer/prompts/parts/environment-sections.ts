// The environment's three texts under their titles: what every prompt but the reflection begins with.
import { type rollout, types } from "@promptpo/contracts";
import { fenced } from "./fenced.ts";

export function environmentSections(environment: rollout.Environment, rewardKind: types.RewardKind): string {
  const { observation = "", implementation = "" } = environment.texts ?? {};
  return [
    "## Observation",
    observation.trim(),
    "## Actions, time and episodes",
    implementation.trim(),
    rewardSection(environment, rewardKind),
  ].join("\n\n");
}

/** The reward text under its kind's title. */
export function rewardSection(environment: rollout.Environment, rewardKind: types.RewardKind): string {
  const text = environment.texts?.rewards.find(({ kind }) => kind === rewardKind)?.text.trim() ?? "";
  switch (rewardKind) {
    case types.RewardKind.REWARD_KIND_SOURCE:
      return `## Reward: source code\n\nThe reward of a step is what this function returns:\n\n${fenced(text)}`;
    case types.RewardKind.REWARD_KIND_SPECIFICATION:
      return `## Reward: specification\n\n${text}`;
    default:
      return `## Reward: description\n\n${text}`;
  }
}
