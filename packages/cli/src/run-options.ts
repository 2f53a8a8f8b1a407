// The options of a run on the command line, shared by `run`, `demo` and the recorder, and the settings that they make.
import { readFileSync } from "node:fs";
import { durationFromMs, fromProtoJson, type Json, llm, optimizer, ProtoJsonError, types } from "@promptpo/contracts";
import type { Command } from "commander";
import { parseSeeds } from "./seeds.ts";
import { UsageError } from "./usage-error.ts";

/** As commander hands them over. */
export interface RunOptions {
  readonly model?: string;
  readonly variant?: string;
  readonly rounds?: string;
  readonly candidates?: string;
  readonly seeds?: string;
  readonly heldout?: string;
  readonly seed?: string;
  readonly maxRepairs?: string;
  readonly selection?: string;
  readonly rewardText?: string;
  readonly final?: string;
  readonly strategy?: string;
  readonly preset?: string;
  readonly temperature?: string;
  readonly maxTokens?: string;
  readonly modelTimeout?: string;
  readonly budgetUsd?: string;
  readonly budgetTokens?: string;
  readonly budgetSteps?: string;
  readonly reflection?: boolean;
  readonly feedbackProgram?: boolean;
  readonly settings?: string;
}

export function addRunOptions(command: Command): Command {
  return command
    .option("--model <name>", "model to ask")
    .option("--variant <name>", "variant of the environment")
    .option("--rounds <n>", "rounds")
    .option("--candidates <n>", "candidates a round")
    .option("--seeds <list>", "training seeds: 0,1,2,51 or 0..4")
    .option("--heldout <list>", "held-out seeds")
    .option("--seed <n>", "root of everything random in the run")
    .option("--max-repairs <n>", "repairs of a failing policy, at most")
    .option("--selection <rule>", "mean_return or mean_success")
    .option("--reward-text <kind>", "source, specification or vague")
    .option("--final <rule>", "best_of_run or last_round")
    .option("--strategy <name>", "promptpo, best-of-n, ...")
    .option("--preset <name>", "settings of a family")
    .option("--temperature <x>", "sampling temperature")
    .option("--max-tokens <n>", "upper bound of one answer")
    .option("--model-timeout <seconds>", "upper bound of one model call, an hour at most")
    .option("--budget-usd <amount>", "money at most")
    .option("--budget-tokens <n>", "tokens at most")
    .option("--budget-steps <n>", "environment steps at most")
    .option("--no-reflection", "no reflection between rounds")
    .option("--no-feedback-program", "no model-written summaries")
    .option("--settings <file>", "RunSettings as proto JSON; options win over it");
}

/** What the options say; the optimizer fills in the rest. */
export function runSettings(environment: string | undefined, options: RunOptions): optimizer.RunSettings {
  const base = options.settings === undefined ? undefined : readSettings(options.settings);
  const settings = optimizer.RunSettings.fromPartial(base ?? {});
  const whole = (name: string, text: string | undefined, least = 0): number | undefined => {
    if (text === undefined) return undefined;
    if (!/^\d{1,15}$/.test(text) || Number(text) < least)
      throw new UsageError(
        `${name} ${text} is not a whole number of ${least} or more`,
        `Write ${name} ${Math.max(least, 3)}`,
      );
    return Number(text);
  };
  const decimal = (name: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value) || value < 0)
      throw new UsageError(`${name} ${text} is not a number of 0 or more`, `Write ${name} 0.5`);
    return value;
  };
  const set = <K extends keyof optimizer.RunSettings>(key: K, value: optimizer.RunSettings[K] | undefined): void => {
    if (value !== undefined) settings[key] = value;
  };
  set("environment", environment);
  set("model", options.model);
  set("variant", options.variant);
  set("strategy", options.strategy);
  set("preset", options.preset);
  set("rounds", whole("--rounds", options.rounds, 1));
  set("candidates", whole("--candidates", options.candidates, 1));
  set("maxRepairs", whole("--max-repairs", options.maxRepairs));
  set("seed", optionalBigint(whole("--seed", options.seed)));
  set("trainSeeds", options.seeds === undefined ? undefined : parseSeeds(options.seeds));
  set("heldoutSeeds", options.heldout === undefined ? undefined : parseSeeds(options.heldout));
  set("selection", oneOf("--selection", options.selection, SELECTIONS));
  set("rewardKind", oneOf("--reward-text", options.rewardText, REWARDS));
  set("final", oneOf("--final", options.final, FINALS));
  if (options.reflection === false) settings.reflection = false;
  if (options.feedbackProgram === false) settings.feedbackProgram = false;
  const seconds = decimal("--model-timeout", options.modelTimeout);
  if (seconds !== undefined) settings.modelTimeout = durationFromMs(seconds * 1000);
  const temperature = decimal("--temperature", options.temperature);
  const maxTokens = optionalBigint(whole("--max-tokens", options.maxTokens, 1));
  if (temperature !== undefined || maxTokens !== undefined) {
    settings.sampling = llm.Sampling.fromPartial({
      ...settings.sampling,
      ...(temperature === undefined ? {} : { temperature }),
      ...(maxTokens === undefined ? {} : { maxTokens }),
    });
  }
  const usd = decimal("--budget-usd", options.budgetUsd);
  const tokens = optionalBigint(whole("--budget-tokens", options.budgetTokens, 1));
  const steps = optionalBigint(whole("--budget-steps", options.budgetSteps, 1));
  if (usd !== undefined || tokens !== undefined || steps !== undefined) {
    settings.budget = optimizer.RunBudget.fromPartial({
      ...settings.budget,
      ...(usd === undefined ? {} : { microUsd: BigInt(Math.round(usd * 1e6)) }),
      ...(tokens === undefined ? {} : { tokens }),
      ...(steps === undefined ? {} : { steps }),
    });
  }
  return settings;
}

const SELECTIONS = {
  mean_return: types.Selection.SELECTION_MEAN_RETURN,
  mean_success: types.Selection.SELECTION_MEAN_SUCCESS,
} as const;
const REWARDS = {
  source: types.RewardKind.REWARD_KIND_SOURCE,
  specification: types.RewardKind.REWARD_KIND_SPECIFICATION,
  vague: types.RewardKind.REWARD_KIND_VAGUE,
} as const;
const FINALS = {
  best_of_run: optimizer.FinalRule.FINAL_RULE_BEST_OF_RUN,
  last_round: optimizer.FinalRule.FINAL_RULE_LAST_ROUND,
} as const;

function oneOf<T>(name: string, word: string | undefined, words: Readonly<Record<string, T>>): T | undefined {
  if (word === undefined) return undefined;
  const value = words[word.replaceAll("-", "_")];
  if (value === undefined)
    throw new UsageError(`${name} ${word} is not known`, `It is one of ${Object.keys(words).join(", ")}.`);
  return value;
}

function optionalBigint(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value);
}

function readSettings(file: string): optimizer.RunSettings {
  try {
    return fromProtoJson(optimizer.RunSettings, JSON.parse(readFileSync(file, "utf8")) as Json);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const what =
      error instanceof ProtoJsonError || error instanceof SyntaxError ? "holds no RunSettings" : "cannot be read";
    throw new UsageError(
      `--settings ${file} ${what}: ${error.message}`,
      'Write proto JSON such as {"environment": "NoiseWorld-0", "rounds": 3}',
    );
  }
}
