// The golden prompts: each prompt in full for three environments, so that a reviewer reads what the model reads.
// UPDATE_GOLDEN=1 vitest run services/optimizer/prompts/golden.test.ts writes them anew (raise PROMPT_VERSION then).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { optimizer, rollout, types } from "@promptpo/contracts";
import { describe, expect, it } from "vitest";
import type { Command } from "../core/command.ts";
import { answered, block, created, MemoryRun } from "../core/testing/world.ts";
import { promptFor } from "./prompt-for.ts";

const ENVIRONMENTS = ["NoiseWorld-1", "HalfCheetah-v5", "button-press-v3"];
const PROMPTS: Record<string, string> = {
  task: "r1/c00/policy/0",
  repair: "r1/c01/policy-repair/1",
  feedback: "r0/all/feedback/0",
  "feedback-repair": "r1/all/feedback-repair/1",
  reflection: "r3/all/reflection/0",
  refine: "r3/c00/policy/0",
};

const folder = new URL("./golden/", import.meta.url);
const update = process.env["UPDATE_GOLDEN"] === "1";

describe.each(ENVIRONMENTS)("the prompts of %s", (name) => {
  const run = scriptedRun(fixture(name));

  it.each(Object.keys(PROMPTS))("%s", (prompt) => {
    const [message, ...others] = promptFor(run.state, PROMPTS[prompt] ?? "");
    expect(others).toEqual([]);
    const content = message?.content ?? "";
    const file = new URL(`${name}/${prompt}.md`, folder);
    if (update) {
      mkdirSync(new URL(`${name}/`, folder), { recursive: true });
      writeFileSync(file, content);
    }
    expect(existsSync(file), `no golden file ${file.pathname}; write it with UPDATE_GOLDEN=1`).toBe(true);
    expect(content).toBe(readFileSync(file, "utf8"));
  });
});

function fixture(name: string): rollout.Environment {
  const text = readFileSync(new URL(`./fixtures/${name}.json`, import.meta.url), "utf8");
  return rollout.Environment.fromJSON(JSON.parse(text));
}

/** Two rounds and the beginning of a third, in which every prompt occurs. */
function scriptedRun(environment: rollout.Environment): MemoryRun {
  const run = new MemoryRun(
    created({ rounds: 3, candidates: 2, trainSeeds: [0n, 1n, 2n], heldoutSeeds: [] }, environment),
  );
  for (let command = run.commands[0]; command !== undefined; command = run.commands[0]) {
    if (command.place.startsWith("r3/c")) return run;
    run.put(command.place, outcome(command, environment));
  }
  return run;
}

function outcome(command: Command, environment: rollout.Environment): NonNullable<optimizer.Event["kind"]> {
  const [round = "", who = "", , attempt = ""] = command.place.split("/");
  switch (command.kind) {
    case "model":
      return { $case: "modelAnswered", value: answered(text(command.ask, round, who, environment)) };
    case "evaluate": {
      const broken = round === "r1" && who === "c01" && attempt === "0";
      const episodes = command.seeds.map((seed) => episode(environment, seed, broken, round === "r1" ? 1 : 2));
      return {
        $case: "policyEvaluated",
        value: optimizer.PolicyEvaluated.fromPartial({ episodes, stepCount: 1n }),
      };
    }
    case "summarize": {
      if (round === "r1" && attempt === "0")
        return {
          $case: "trajectoriesSummarized",
          value: optimizer.TrajectoriesSummarized.fromPartial({
            error: {
              kind: types.PolicyError_Kind.KIND_EXCEPTION,
              message: "AttributeError: the observation has no field 'speed'",
              traceback: `Traceback (most recent call last):\n  File "policy.py", line 6, in summarize_trajectory\n    return str(traj[-1].speed)\nAttributeError: the observation has no field 'speed'\n`,
            },
          }),
        };
      const lines = command.seeds.map((seed) => `the first field went from ${seed} to ${seed + 7n} over the episode`);
      return { $case: "trajectoriesSummarized", value: optimizer.TrajectoriesSummarized.fromPartial({ lines }) };
    }
  }
}

function text(ask: string, round: string, who: string, { policyClass, actionSpace }: rollout.Environment): string {
  if (ask === "reflection")
    return round === "r2"
      ? "With a mean of 10.3333 this first policy did poorly. It never changes its action, so it cannot react to what it observes. The next policy should use the observation."
      : "The mean rose from 10.3333 to 20.3333, which is still little. The policy now reacts, but only to the first field. The next one should use the others too.";
  if (ask.startsWith("feedback")) {
    const line = ask === "feedback" ? "return str(traj[-1].speed)" : 'return f"{len(traj)} steps"';
    return block(`import numpy as np\n\n\nclass Feedback:\n    def summarize_trajectory(self, traj):\n        ${line}`);
  }
  const action = actionSpace?.kind === "discrete" ? "1" : `np.zeros(${actionSpace?.shape[0]})`;
  const body = ask === "policy" && round === "r1" && who === "c01" ? "return self.plan[0]" : `return ${action}`;
  return block(`import numpy as np\n\n\nclass ${policyClass}:  # ${round}\n    def act(self, obs):\n        ${body}`);
}

function episode(environment: rollout.Environment, seed: bigint, broken: boolean, level: number): types.EpisodeResult {
  return types.EpisodeResult.fromPartial({
    seed,
    returnValue: broken ? 0 : 10 * level + Number(seed) / 3,
    success: seed === 1n && level === 2,
    length: broken ? 0n : environment.horizon,
    truncated: true,
    ...(broken
      ? {
          error: {
            kind: types.PolicyError_Kind.KIND_EXCEPTION,
            message: `AttributeError: '${environment.policyClass}' object has no attribute 'plan'`,
            traceback: `Traceback (most recent call last):\n  File "policy.py", line 6, in act\n    return self.plan[0]\nAttributeError: '${environment.policyClass}' object has no attribute 'plan'\n`,
            step: 0n,
            line: 6,
            seed,
          },
        }
      : {}),
  });
}
