import { durationFromMs, optimizer, type rollout, types } from "@promptpo/contracts";
import { describe, expect, it } from "vitest";
import { resolveSettings } from "./resolve-settings.ts";
import { compileSettings } from "./settings.ts";
import { ENVIRONMENT } from "./testing/world.ts";

type Given = Parameters<typeof optimizer.RunSettings.fromPartial>[0];
const resolve = (given: Given, environment: Partial<rollout.Environment> = {}) =>
  resolveSettings(optimizer.RunSettings.fromPartial({ model: "m", ...given }), { ...ENVIRONMENT, ...environment });
const settings = (given: Given, environment: Partial<rollout.Environment> = {}) => {
  const resolved = resolve(given, environment);
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.violations));
  return compileSettings(resolved.settings);
};
const fields = (given: Given) => {
  const resolved = resolve(given);
  return resolved.ok ? [] : resolved.violations.map(({ field }) => field);
};

describe("settings that nobody gave", () => {
  it("are the published ones, except where the project says otherwise", () => {
    expect(settings({}, { family: "mujoco" })).toMatchObject({
      rounds: 10,
      candidates: 10,
      trainSeeds: [0n, 1n, 2n, 3n, 4n],
      selection: "mean_return",
      publishedTies: false,
      final: "best_of_run",
      reflection: true,
      feedbackProgram: true,
      maxRepairs: 3,
      maxFeedbackRepairs: 3,
      historyTokens: 60_000,
      seed: 0n,
      strategy: "promptpo",
      bestHintAfter: 10,
      modelTimeoutMs: 600_000,
      sampling: undefined,
      policyLifetime: types.PolicyLifetime.POLICY_LIFETIME_EPISODE,
    });
    const { heldoutSeeds } = settings({});
    expect([heldoutSeeds[0], heldoutSeeds.at(-1), heldoutSeeds.length]).toEqual([1000n, 1019n, 20]);
  });

  it("come from the family's preset, from another one by name, and from the environment", () => {
    expect(settings({}, { family: "noiseworld" }).rounds).toBe(5);
    expect(settings({ preset: "mujoco" }, { family: "noiseworld" }).rounds).toBe(10);
    expect(settings({}, { selection: types.Selection.SELECTION_MEAN_SUCCESS }).selection).toBe("mean_success");
    expect(settings({}).rewardKind).toBe(types.RewardKind.REWARD_KIND_VAGUE);
    expect(settings({ environment: "toy", variant: "" })).toMatchObject({ environment: "Toy-v0", variant: "default" });
  });

  it("never replace a given zero or false", () => {
    expect(settings({ maxRepairs: 0, reflection: false, feedbackProgram: false, seed: 0n })).toMatchObject({
      maxRepairs: 0,
      reflection: false,
      feedbackProgram: false,
    });
  });
});

describe("settings that cannot be", () => {
  it.each([
    ["settings.model", { model: " " }],
    ["settings.rounds", { rounds: 0 }],
    ["settings.candidates", { candidates: 1001 }],
    ["settings.max_repairs", { maxRepairs: -1 }],
    ["settings.train_seeds", { trainSeeds: [1n, 1n] }],
    ["settings.train_seeds", { trainSeeds: [-1n] }],
    ["settings.heldout_seeds", { heldoutSeeds: [2n ** 32n] }],
    ["settings.heldout_seeds", { trainSeeds: [1005n] }],
    ["settings.reward_kind", { rewardKind: types.RewardKind.REWARD_KIND_SOURCE }],
    ["settings.strategy", { strategy: "evolve" }],
    ["settings.preset", { preset: "mujco" }],
    ["settings.model_timeout", { modelTimeout: durationFromMs(3_600_001) }],
    ["settings.budget.tokens", { budget: { tokens: -1n } }],
    ["settings.history_tokens", { historyTokens: 10 }],
  ] as const)("are named: %s", (field, given) => {
    expect(fields(given as Given)).toContain(field);
  });

  it("are all named at once, with the nearest name", () => {
    const resolved = resolve({ rounds: 0, preset: "mujco" });
    const texts = resolved.ok ? [] : resolved.violations.map(({ description }) => description);
    expect(texts).toHaveLength(2);
    expect(texts.join()).toContain("did you mean mujoco?");
  });
});
