// What each switch changes in the prompts, what never is in them, and that they are the same whenever they are made.
import { rollout, types } from "@promptpo/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fold } from "../core/apply.ts";
import { survey } from "../core/survey.ts";
import { answered, block, created, ENVIRONMENT, MemoryRun, World, type WorldOptions } from "../core/testing/world.ts";
import { policyFailure } from "./parts/failure.ts";
import { fenced } from "./parts/fenced.ts";
import { shown } from "./parts/shown.ts";
import { messagesDigest, promptFor } from "./prompt-for.ts";

type Given = Parameters<typeof created>[0];
const prompt = (run: MemoryRun, place: string) => promptFor(run.state, place)[0]?.content ?? "";
const task = (given: Given = {}, environment: Partial<rollout.Environment> = {}) =>
  prompt(new MemoryRun(created(given, { ...ENVIRONMENT, ...environment })), "r1/c00/policy/0");
const whole = (given: Given, options: Partial<WorldOptions> = {}) =>
  new MemoryRun(created(given)).finish(new World({ seed: 3, ...options }));

describe("the task prompt", () => {
  it("says observation, implementation, reward, code, request, in this order", () => {
    const text = task();
    const order = [
      "`x`: two numbers.",
      "Four actions; 20 steps.",
      "Go far.",
      "class ToyPolicy:",
      "as large as possible",
      "```python block",
    ];
    const found = order.map((part) => text.indexOf(part));
    expect(found.every((at, index) => at > (found[index - 1] ?? -1))).toBe(true);
  });

  it("shows the reward text of the chosen kind under its title", () => {
    const { REWARD_KIND_SOURCE, REWARD_KIND_SPECIFICATION, REWARD_KIND_VAGUE } = types.RewardKind;
    const kinds = [REWARD_KIND_SOURCE, REWARD_KIND_SPECIFICATION, REWARD_KIND_VAGUE];
    const environment = {
      rewardKinds: kinds,
      texts: { observation: "", implementation: "", rewards: kinds.map((kind) => ({ kind, text: `text ${kind}` })) },
    };
    expect(task({ rewardKind: REWARD_KIND_SOURCE }, environment)).toContain(
      "## Reward: source code\n\nThe reward of a step is what this function returns:\n\n```python\ntext 1\n```",
    );
    expect(task({ rewardKind: REWARD_KIND_SPECIFICATION }, environment)).toContain(
      "## Reward: specification\n\ntext 2",
    );
    expect(task({ rewardKind: REWARD_KIND_VAGUE }, environment)).toContain("## Reward: description\n\ntext 3");
  });

  it("says how long a policy object lives", () => {
    expect(task()).toContain("A new `ToyPolicy()` is made for every episode.");
    const text = task({ policyLifetime: types.PolicyLifetime.POLICY_LIFETIME_EVALUATION });
    expect(text).toContain("One `ToyPolicy()` is made and acts in all episodes of an evaluation");
  });

  it("says what success means only where policies are compared by it", () => {
    expect(task()).not.toContain("solved");
    expect(task({ selection: types.Selection.SELECTION_MEAN_SUCCESS })).toContain("share of solved episodes first");
  });

  it("says what act returns: an integer code, or an array with its bounds where they are all the same", () => {
    expect(task()).toContain("must return one integer from 0 to 3.");
    const box = (low: number[], high: number[]) =>
      task({}, { actionSpace: rollout.ActionSpace.fromPartial({ kind: "box", shape: [2n], low, high }) });
    expect(box([-1, -1], [1, 1])).toContain(
      "must return a NumPy array of shape (2,) with finite numbers, nominally from -1 to 1.",
    );
    expect(box([-1, -2], [1, 1])).toContain("with finite numbers.");
  });

  it("is the prompt of every candidate and of every round where there is no history", () => {
    const run = whole({ rounds: 2, candidates: 2, strategy: "best-of-n" });
    expect(
      new Set(["r1/c00/policy/0", "r1/c01/policy/0", "r2/c01/policy/0"].map((place) => prompt(run, place))).size,
    ).toBe(1);
  });
});

describe("the prompt of a later round", () => {
  it("shows the reflection, then the winners oldest first, each reflection once", () => {
    const text = prompt(whole({ rounds: 3, candidates: 2 }), "r3/c00/policy/0");
    const order = [
      "## Reflection on the latest policy\n\nReflection at r3/all/reflection/0.",
      "### Round 1",
      "Reflection: Reflection at r2",
      "### Round 2",
      "## Request",
    ];
    const found = order.map((part) => text.indexOf(part));
    expect(found.every((at, index) => at > (found[index - 1] ?? -1))).toBe(true);
    expect(text.split("Reflection at r3/all/reflection/0.")).toHaveLength(2);
  });

  it("has no reflection and no feedback where they are off", () => {
    const text = prompt(
      whole({ rounds: 2, candidates: 1, reflection: false, feedbackProgram: false }),
      "r2/c00/policy/0",
    );
    expect(text).not.toContain("eflection");
    expect(text).not.toContain("Feedback");
  });

  it("marks the best item once the history is long enough, and only that one", () => {
    const run = whole({ rounds: 4, candidates: 1, bestHintAfter: 3 });
    expect(prompt(run, "r3/c00/policy/0")).not.toContain("best so far");
    expect(prompt(run, "r4/c00/policy/0").split("(best so far)")).toHaveLength(2);
  });

  it("keeps within history_tokens: older sources are left out, then older rounds", () => {
    const full = whole({ rounds: 6, candidates: 1 });
    const world = new World({ seed: 3 });
    const long = new MemoryRun(created({ rounds: 6, candidates: 1, historyTokens: 1000 }));
    for (let command = long.commands[0]; command !== undefined; command = long.commands[0]) {
      const filler = `# ${"x".repeat(2400)}`;
      const value = command.place.includes("/policy/")
        ? answered(
            block(
              `class ToyPolicy:\n    # value ${command.place === "r2/c00/policy/0" ? 9 : 1}\n    ${filler}\n    x = 1`,
            ),
          )
        : undefined;
      long.put(command.place, value === undefined ? world.outcome(command) : { $case: "modelAnswered", value });
    }
    const headings = (run: MemoryRun) =>
      [...prompt(run, "r6/c00/policy/0").matchAll(/^### Round \d/gm)].map(([found]) => found);
    expect(headings(full)).toHaveLength(5);
    const text = prompt(long, "r6/c00/policy/0");
    expect(text.match(/x{2400}/g)).toHaveLength(2); // the best and the last
    expect(headings(long)).toContain("### Round 2");
    expect(headings(long)).toContain("### Round 5");
  });

  it("lists the failures of a round without a winner, each cause once", () => {
    const run = new MemoryRun(created({ rounds: 3, candidates: 2, maxRepairs: 0 }));
    const world = new World({ seed: 3 });
    for (let command = run.commands[0]; command !== undefined; command = run.commands[0]) {
      const broken = command.place.startsWith("r1/c") && command.kind === "model";
      const value = answered(block("class ToyPolicy:\n    # raises\n    x = 1"));
      run.put(command.place, broken ? { $case: "modelAnswered", value } : world.outcome(command));
    }
    const text = prompt(run, "r2/c00/policy/0");
    expect(text).toContain("## Failures of the latest round");
    expect(text).toContain("- EXCEPTION: ValueError: boom (2 policies)");
    expect(text).not.toContain("## Policies so far");
  });
});

describe("every prompt", () => {
  const settings = fc.record({
    rounds: fc.integer({ min: 1, max: 4 }),
    candidates: fc.integer({ min: 1, max: 3 }),
    maxRepairs: fc.integer({ min: 0, max: 2 }),
    reflection: fc.boolean(),
    strategy: fc.constantFrom("promptpo", "best-of-n", "sequential"),
  });

  it("is the same when it is asked and when it is looked at after the end", () => {
    fc.assert(
      fc.property(settings, fc.nat(1000), (given, seed) => {
        const world = new World({ seed, raises: 0.4, noBlock: 0.1, brokenFeedback: 0.5 });
        const run = new MemoryRun(created(given));
        const asked = new Map<string, string>();
        for (let command = run.commands.at(-1); command !== undefined; command = run.commands.at(-1)) {
          if (command.kind === "model") asked.set(command.place, messagesDigest(promptFor(run.state, command.place)));
          run.put(command.place, world.outcome(command));
        }
        const state = fold("run-test", run.events);
        for (const [place, digest] of asked) expect(messagesDigest(promptFor(state, place))).toBe(digest);
      }),
      { numRuns: 40 },
    );
  });

  it("holds no held-out seed, no run id, no other candidate's source in a repair", () => {
    const run = new MemoryRun(created({ heldoutSeeds: [987654n], candidates: 3 })).finish(
      new World({ seed: 4, raises: 0.5, brokenFeedback: 1 }),
    );
    const sources = survey(run.state).rounds.flatMap(({ candidates }) =>
      candidates.flatMap(({ attempts }) => attempts),
    );
    let repairs = 0;
    for (const { kind, place } of run.events) {
      if (kind?.$case !== "modelAnswered") continue;
      const text = prompt(run, place);
      expect(text).not.toContain("987654");
      expect(text).not.toContain("run-test");
      if (!place.includes("policy-repair")) continue;
      repairs += 1;
      const failed = place.replace(/policy-repair\/\d+$/, "");
      const own = sources.filter((attempt) => attempt.place.startsWith(failed)).map(({ source }) => source);
      for (const { source } of sources)
        if (source !== undefined && !own.includes(source)) expect(text).not.toContain(source.trim());
    }
    expect(repairs).toBeGreaterThan(0);
  });

  it("is refused for a place that is no model call of the run", () => {
    const run = new MemoryRun(created());
    for (const place of ["r1/c00/evaluation/0", "r9/c00/policy/0", "r1/c00/policy-repair/1", "nonsense"])
      expect(() => promptFor(run.state, place)).toThrow(place);
  });
});

describe("a failure in words", () => {
  const { PolicyError, PolicyError_Kind: Kind } = types;
  const told = (error: Parameters<typeof PolicyError.fromPartial>[0], episodes?: { failed: number; all: number }) =>
    policyFailure({ error: PolicyError.fromPartial(error), episodes });

  it("names the limit with its numbers, the seed and the step", () => {
    expect(told({ kind: Kind.KIND_CPU, message: "used 2.1 s", step: 7n, seed: 3n }, { failed: 2, all: 5 })).toBe(
      "The policy used too much CPU time at step 7 (counted from 0), in the episode of seed 3. The limits are 2 s of CPU time for one call and 120 s for an episode. It failed in 2 of 5 episodes; this is the first failure.\n\nused 2.1 s",
    );
    expect(told({ kind: Kind.KIND_MEMORY, step: -1n, seed: 0n })).toBe(
      "The policy used too much memory before the first step, in the episode of seed 0. The limit is 1 GiB.",
    );
  });

  it("names line and column of what does not parse", () => {
    expect(told({ kind: Kind.KIND_SYNTAX, message: "invalid syntax", line: 3, column: 9 }, { failed: 5, all: 5 })).toBe(
      "The code does not parse (line 3, column 9).\n\ninvalid syntax",
    );
  });

  it("shows the traceback without repeating its last line", () => {
    const traceback = "Traceback (most recent call last):\n  ...\nValueError: no\n";
    expect(told({ kind: Kind.KIND_EXCEPTION, message: "ValueError: no", traceback, step: 0n })).toBe(
      `The policy raised an exception at step 0 (counted from 0), in the episode of seed 0.\n\n\`\`\`text\n${traceback.trim()}\n\`\`\``,
    );
  });
});

describe("numbers in prompts", () => {
  it("are the shortest text of six significant digits, and that text is the rounded number", () => {
    expect([0.1 + 0.2, -1234.5678, 1e-7, 123456789, 5, -0, Number.NaN, Number.NEGATIVE_INFINITY].map(shown)).toEqual([
      "0.3",
      "-1234.57",
      "1e-7",
      "123457000",
      "5",
      "0",
      "nan",
      "-inf",
    ]);
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Number(shown(value)) - Number(value.toPrecision(6))).toBe(0);
      }),
    );
  });

  it("hide the last bits of a machine", () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 9, noNaN: true }), (value) => {
        const rounded = Number(value.toPrecision(6));
        expect(shown(rounded * (1 + 2 ** -52))).toBe(shown(rounded));
      }),
    );
  });
});

describe("code in prompts", () => {
  it("stands in a fence that it cannot close", () => {
    expect(fenced('"""\n````\n"""')).toBe('`````python\n"""\n````\n"""\n`````');
  });
});
