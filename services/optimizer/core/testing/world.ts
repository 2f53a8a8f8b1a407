// A world for tests of the core: answers commands as a pure function of (seed, place, source), and runs whole runs in
// any order of outcomes. Sources carry what will become of them in a comment: `# value 3.5`, `# raises`, `# nan`.
import { llm, optimizer, rollout, sha256, type Timestamp, types } from "@promptpo/contracts";
import { type Advanced, advance, create, steer } from "../advance.ts";
import type { Command, EvaluateCommand, SummarizeCommand } from "../command.ts";
import type { LogState } from "../log-state.ts";
import { HELDOUT_PLACE } from "../place.ts";
import { resolveSettings } from "../resolve-settings.ts";
import { decide } from "../survey.ts";

type Kind = NonNullable<optimizer.Event["kind"]>;

export const ENVIRONMENT = rollout.Environment.fromPartial({
  id: "Toy-v0",
  family: "toy",
  variant: "default",
  horizon: 20n,
  stepSeconds: 1,
  policyClass: "ToyPolicy",
  observationFields: [{ name: "x", dtype: "float64", shape: [2n] }],
  actionSpace: { kind: "discrete", n: 4n },
  selection: types.Selection.SELECTION_MEAN_RETURN,
  rewardKinds: [types.RewardKind.REWARD_KIND_VAGUE],
  defaultRewardKind: types.RewardKind.REWARD_KIND_VAGUE,
  texts: {
    observation: "`x`: two numbers.",
    implementation: "Four actions; 20 steps.",
    rewards: [{ kind: types.RewardKind.REWARD_KIND_VAGUE, text: "Go far." }],
  },
});

export function created(
  given: Parameters<typeof optimizer.RunSettings.fromPartial>[0] = {},
  environment: rollout.Environment = ENVIRONMENT,
): optimizer.RunCreated {
  const resolved = resolveSettings(
    optimizer.RunSettings.fromPartial({
      model: "m",
      rounds: 3,
      candidates: 3,
      trainSeeds: [0n, 1n],
      heldoutSeeds: [9n],
      ...given,
    }),
    environment,
  );
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.violations));
  return {
    settings: resolved.settings,
    environmentJson: JSON.stringify(rollout.Environment.toJSON(environment)),
    promptVersion: "test",
  };
}

export interface WorldOptions {
  readonly seed: number;
  /** Shares of answers, 0..1: the rest is a policy that works. */
  readonly raises?: number;
  readonly noBlock?: number;
  readonly callFails?: number;
  readonly nan?: number;
  readonly brokenFeedback?: number;
  readonly evaluationFails?: number;
}

/** What becomes of a command. */
export class World {
  readonly #options: WorldOptions;
  constructor(options: WorldOptions) {
    this.#options = options;
  }

  outcome(command: Command): Kind {
    switch (command.kind) {
      case "model":
        return { $case: "modelAnswered", value: this.answer(command.place) };
      case "evaluate":
        return { $case: "policyEvaluated", value: this.evaluate(command) };
      case "summarize":
        return { $case: "trajectoriesSummarized", value: this.summarize(command) };
    }
  }

  /** 0..1, fixed by seed and words. */
  chance(...words: string[]): number {
    return Number.parseInt(sha256([this.#options.seed, ...words].join("|")).slice(0, 8), 16) / 2 ** 32;
  }

  answer(place: string): optimizer.ModelAnswered {
    const { callFails = 0, noBlock = 0, raises = 0, nan = 0, brokenFeedback = 0 } = this.#options;
    if (this.chance(place, "call") < callFails)
      return optimizer.ModelAnswered.fromPartial({ errorReason: "PROVIDER_REFUSED", errorMessage: "no" });
    const kind = place.split("/")[2] ?? "";
    if (kind === "reflection") return answered(`Reflection at ${place}.`);
    if (this.chance(place, "block") < noBlock) return answered("I would rather not.");
    if (kind.startsWith("feedback")) {
      const mark = this.chance(place, "feedback") < brokenFeedback ? "# raises" : "# works";
      return answered(block(`class Feedback:\n    ${mark} ${place}\n    def summarize_trajectory(self, traj): ...`));
    }
    const roll = this.chance(place, "policy");
    const mark = roll < raises ? "# raises" : roll < raises + nan ? "# nan" : `# value ${this.chance(place, "value")}`;
    return answered(block(`class ToyPolicy:\n    ${mark}\n    def act(self, obs): ...`));
  }

  evaluate({ place, source, seeds }: Omit<EvaluateCommand, "kind">): optimizer.PolicyEvaluated {
    if (place !== HELDOUT_PLACE && this.chance(place, "simulator") < (this.#options.evaluationFails ?? 0))
      return optimizer.PolicyEvaluated.fromPartial({ errorReason: "SIMULATOR_FAILED", errorMessage: "broke" });
    const value = Number(/# value (\S+)/.exec(source)?.[1] ?? Number.NaN);
    const raises = source.includes("# raises");
    const episodes = seeds.map((seed) =>
      types.EpisodeResult.fromPartial({
        seed,
        returnValue: raises ? 0 : value + Number(seed),
        success: value > 0.5,
        length: raises ? 1n : 20n,
        truncated: true,
        ...(raises
          ? { error: { kind: types.PolicyError_Kind.KIND_EXCEPTION, message: "ValueError: boom", step: 1n, seed } }
          : {}),
      }),
    );
    const stepCount = episodes.reduce((total, { length }) => total + length, 0n);
    return optimizer.PolicyEvaluated.fromPartial({ episodes, stepCount });
  }

  summarize({
    feedbackSource,
    policySource,
    seeds,
  }: Omit<SummarizeCommand, "kind" | "place">): optimizer.TrajectoriesSummarized {
    if (feedbackSource.includes("# raises"))
      return optimizer.TrajectoriesSummarized.fromPartial({
        error: { kind: types.PolicyError_Kind.KIND_EXCEPTION, message: "KeyError: 'y'", step: -1n },
        stepCount: 20n,
      });
    const lines = seeds.map((seed) => `seed ${seed} of ${policySource.length} characters`);
    return optimizer.TrajectoriesSummarized.fromPartial({ lines, stepCount: BigInt(20 * seeds.length) });
  }
}

export function answered(
  text: string,
  rest: Parameters<typeof llm.Completion.fromPartial>[0] = {},
): optimizer.ModelAnswered {
  return optimizer.ModelAnswered.fromPartial({
    completion: {
      text,
      model: "m",
      finishReason: llm.Completion_FinishReason.FINISH_REASON_STOP,
      usage: { promptTokens: 100n, completionTokens: 50n },
      cost: { microUsd: 10n, known: true },
      source: llm.Completion_Source.SOURCE_PROVIDER,
      ...rest,
    },
  });
}

export function block(source: string): string {
  return `Here it is.\n\n\`\`\`python\n${source}\n\`\`\`\n`;
}

/** A run in memory: its state, its log, and its outcomes one at a time. */
export class MemoryRun {
  state: LogState;
  readonly events: optimizer.Event[] = [];
  /** Places that were ever commanded. */
  readonly asked = new Set<string>();

  constructor(runCreated: optimizer.RunCreated, runId = "run-test") {
    const first = create(runId, runCreated, at(0));
    this.state = first.state;
    this.#take(first);
  }

  get commands(): readonly Command[] {
    return decide(this.state);
  }

  /** False when the outcome was dropped. */
  put(place: string, kind: Kind, seconds = this.events.length): boolean {
    const advanced = advance(this.state, place, kind, at(seconds));
    if (advanced === undefined) return false;
    this.#take(advanced);
    return true;
  }

  steer(action: optimizer.RunControlled_Action, reason = ""): boolean {
    const control = optimizer.RunControlled.fromPartial({ action, reason });
    const advanced = steer(this.state, control, at(this.events.length));
    if (advanced === undefined) return false;
    this.#take(advanced);
    return true;
  }

  /** Answers commands until there are none; `pick` says which of n is next. */
  finish(world: World, pick: (count: number) => number = () => 0): this {
    for (let command = this.#next(pick); command !== undefined; command = this.#next(pick))
      this.put(command.place, world.outcome(command));
    return this;
  }

  #next(pick: (count: number) => number): Command | undefined {
    return this.commands.length === 0 ? undefined : this.commands[pick(this.commands.length)];
  }

  #take(advanced: Advanced): void {
    for (const { place } of advanced.commands) {
      if (this.asked.has(place)) throw new Error(`${place} is commanded twice`);
      this.asked.add(place);
    }
    this.state = advanced.state;
    this.events.push(...advanced.events);
  }
}

export function at(seconds: number): Timestamp {
  return { seconds: BigInt(1_700_000_000 + seconds), nanos: 0 };
}
