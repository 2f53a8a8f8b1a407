// Fills in what a run's creator left unset and checks what was given: settings in, complete settings or violations out.
// Owns defaults and bounds of every field. Bad input is a result here, never an exception.
import { durationFromMs, durationToMs, optimizer, type rollout, types } from "@promptpo/contracts";
import { nearest, type Violation } from "@promptpo/service-kit/errors.ts";
import { DEFAULTS, PRESETS, presetNameOf } from "./presets.ts";
import { STRATEGIES } from "./strategy.ts";

export type ResolvedSettings =
  | { readonly ok: true; readonly settings: optimizer.RunSettings }
  | { readonly ok: false; readonly violations: readonly Violation[] };

/** What the environment's simulators take as a seed. */
const LARGEST_SEED = 2n ** 32n - 1n;
const SEEDS_MOST = 1_000;
const MODEL_TIMEOUT_MS_MOST = 3_600_000;

export function resolveSettings(given: optimizer.RunSettings, environment: rollout.Environment): ResolvedSettings {
  const violations: Violation[] = [];
  const wrong = (field: string, description: string) => violations.push({ field: `settings.${field}`, description });
  const whole = (field: string, value: number, least: number, most: number): number => {
    if (!Number.isInteger(value) || value < least || value > most)
      wrong(field, `must be a whole number from ${least} to ${most}, received ${value}`);
    return value;
  };

  const presetName = given.preset === "" ? presetNameOf(environment.family) : given.preset;
  const preset = PRESETS[presetName];
  if (preset === undefined) wrong("preset", unknown("preset", given.preset, Object.keys(PRESETS)));

  const strategy = given.strategy === "" ? DEFAULTS.strategy : given.strategy;
  const strategies = STRATEGIES.map(({ name }) => name);
  if (!strategies.includes(strategy)) wrong("strategy", unknown("strategy", strategy, strategies));
  if (given.model.trim() === "") wrong("model", "name the model to ask");

  const rewardKind = resolveRewardKind(given.rewardKind, environment, wrong);
  const trainSeeds = seeds("train_seeds", given.trainSeeds, DEFAULTS.trainSeeds, wrong);
  const heldoutSeeds = seeds("heldout_seeds", given.heldoutSeeds, DEFAULTS.heldoutSeeds, wrong);
  const shared = heldoutSeeds.filter((seed) => trainSeeds.includes(seed));
  if (shared.length > 0)
    wrong("heldout_seeds", `must not hold training seeds, and holds ${shared.slice(0, 5).join(", ")}`);
  checkBudget(given.budget, wrong);
  checkKnown(given, wrong);

  const timeoutMs = given.modelTimeout === undefined ? DEFAULTS.modelTimeoutMs : durationToMs(given.modelTimeout);
  if (!(timeoutMs >= 1_000 && timeoutMs <= MODEL_TIMEOUT_MS_MOST))
    wrong("model_timeout", `must be from 1 to ${MODEL_TIMEOUT_MS_MOST / 1000} seconds, received ${timeoutMs / 1000}`);

  const settings: optimizer.RunSettings = {
    environment: environment.id,
    variant: environment.variant,
    model: given.model,
    sampling: given.sampling,
    rounds: whole("rounds", given.rounds ?? preset?.rounds ?? 1, 1, 1_000),
    candidates: whole("candidates", given.candidates ?? preset?.candidates ?? 1, 1, 1_000),
    trainSeeds,
    heldoutSeeds,
    selection:
      given.selection !== types.Selection.SELECTION_UNSPECIFIED
        ? given.selection
        : environment.selection !== types.Selection.SELECTION_UNSPECIFIED
          ? environment.selection
          : types.Selection.SELECTION_MEAN_RETURN,
    publishedTies: given.publishedTies ?? DEFAULTS.publishedTies,
    final:
      given.final === optimizer.FinalRule.FINAL_RULE_UNSPECIFIED
        ? optimizer.FinalRule.FINAL_RULE_BEST_OF_RUN
        : given.final,
    reflection: given.reflection ?? DEFAULTS.reflection,
    feedbackProgram: given.feedbackProgram ?? DEFAULTS.feedbackProgram,
    maxRepairs: whole("max_repairs", given.maxRepairs ?? DEFAULTS.maxRepairs, 0, 100),
    maxFeedbackRepairs: whole("max_feedback_repairs", given.maxFeedbackRepairs ?? DEFAULTS.maxFeedbackRepairs, 0, 100),
    rewardKind,
    historyTokens: whole("history_tokens", given.historyTokens ?? DEFAULTS.historyTokens, 1_000, 10_000_000),
    seed: given.seed ?? DEFAULTS.seed,
    strategy,
    bestHintAfter: whole("best_hint_after", given.bestHintAfter ?? DEFAULTS.bestHintAfter, 1, 1_000_000),
    budget: given.budget,
    policyLifetime:
      given.policyLifetime === types.PolicyLifetime.POLICY_LIFETIME_UNSPECIFIED
        ? types.PolicyLifetime.POLICY_LIFETIME_EPISODE
        : given.policyLifetime,
    replayTolerance: given.replayTolerance,
    modelTimeout: durationFromMs(timeoutMs),
    preset: presetName,
  };
  return violations.length > 0 ? { ok: false, violations } : { ok: true, settings };
}

type Wrong = (field: string, description: string) => void;

function resolveRewardKind(given: types.RewardKind, environment: rollout.Environment, wrong: Wrong): types.RewardKind {
  if (given === types.RewardKind.REWARD_KIND_UNSPECIFIED) return environment.defaultRewardKind;
  if (!environment.rewardKinds.includes(given)) {
    const offered = environment.rewardKinds.map(rewardKindWord).join(", ");
    wrong("reward_kind", `${environment.id} has these reward texts: ${offered}`);
  }
  return given;
}

/** `source`, `specification` or `vague`. */
export function rewardKindWord(kind: types.RewardKind): string {
  return types.rewardKindToJSON(kind).replace("REWARD_KIND_", "").toLowerCase();
}

function seeds(field: string, given: readonly bigint[], otherwise: readonly bigint[], wrong: Wrong): bigint[] {
  if (given.length === 0) return [...otherwise];
  if (given.length > SEEDS_MOST) wrong(field, `holds ${given.length} seeds, ${SEEDS_MOST} at most`);
  const seen = new Set<bigint>();
  for (const seed of given) {
    if (seed < 0n || seed > LARGEST_SEED) wrong(field, `a seed is from 0 to ${LARGEST_SEED}, received ${seed}`);
    if (seen.has(seed)) wrong(field, `holds the seed ${seed} twice`);
    seen.add(seed);
  }
  return [...given];
}

function checkBudget(budget: optimizer.RunBudget | undefined, wrong: Wrong): void {
  if (budget === undefined) return;
  if (budget.microUsd < 0n) wrong("budget.micro_usd", "must not be negative; 0 is no limit");
  if (budget.tokens < 0n) wrong("budget.tokens", "must not be negative; 0 is no limit");
  if (budget.steps < 0n) wrong("budget.steps", "must not be negative; 0 is no limit");
  if (budget.wallTime !== undefined && durationToMs(budget.wallTime) < 0)
    wrong("budget.wall_time", "must not be negative; 0 is no limit");
}

/** Enum values from a newer client. */
function checkKnown(given: optimizer.RunSettings, wrong: Wrong): void {
  const check = (field: string, value: number, values: object) => {
    if (!Object.values(values).some((known) => known === value && known >= 0))
      wrong(field, `has the value ${value}, which this version does not know`);
  };
  check("selection", given.selection, types.Selection);
  check("final", given.final, optimizer.FinalRule);
  check("policy_lifetime", given.policyLifetime, types.PolicyLifetime);
}

function unknown(what: string, word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  const offered = `offered: ${known.join(", ")}`;
  return `no ${what} is called "${word}"; ${near.length > 0 ? `did you mean ${near.join(" or ")}? ${offered}` : offered}`;
}
