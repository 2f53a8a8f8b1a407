// Environments that nobody configured and one from a folder, over a whole fleet: a hand-written policy through the command
// line, and a run that improves. Real fleet, real Postgres, real sidecars; only the model is scripted.
import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EXIT } from "@promptpo/cli/exit-codes.ts";
import { runCli } from "@promptpo/cli/run-cli.ts";
import { scriptedModel } from "@promptpo/cli/testing/scripted-model.ts";
import { connect, types } from "@promptpo/client";
import { startFleet } from "@promptpo/fleet";
import { temporaryFolder } from "@promptpo/fleet/testing.ts";
import { expect, test } from "vitest";

const MODEL = "scripted-1";
const examples = fileURLToPath(new URL("../examples/environments/", import.meta.url));
const bangBang = readFileSync(join(examples, "bang_bang.py"), "utf8");

const block = (code: string): string => `Here it is.\n\n\`\`\`python\n${code}\n\`\`\`\n`;
const IDLE = "import numpy as np\n\nclass DockingPolicy:\n    def act(self, obs):\n        return np.zeros(1)";
const FEEDBACK = `class Feedback:
    def summarize_trajectory(self, traj):
        return f"{len(traj)} steps, {traj[-1].berth - traj[-1].position:.2f} m to go"`;

/** The first round's policies drift, and whoever is shown one of them docks. */
function answers(prompt: string): string {
  if (prompt.startsWith("The policy of an agent")) return "It never moved.";
  if (prompt.includes("summarize_trajectory") && !prompt.startsWith("You write the policy")) return block(FEEDBACK);
  return block(prompt.includes("np.zeros(1)") ? bangBang : IDLE);
}

test("a run on an environment in a folder improves, and gym:CartPole-v1 is evaluated by its id", async () => {
  await using model = await scriptedModel(MODEL, answers);
  const data = join(temporaryFolder("promptpo-own-environments"), "data");
  const env = {
    PATH: process.env["PATH"],
    PROMPTPO_DATA: data,
    // As a user in the checkout would write it; services run elsewhere.
    PROMPTPO_ENVIRONMENTS: "examples/environments",
    OPENAI_BASE_URL: model.baseUrl,
    OPENAI_API_KEY: "sk-test-of-environments-0123456789",
  };
  await using fleet = await startFleet({ folder: data, purpose: "own environments", env });

  const out: string[] = [];
  const err: string[] = [];
  const world = {
    stdout: { write: (text: string) => void out.push(text) },
    stderr: { write: (text: string) => void err.push(text) },
    env,
    signals: new EventEmitter(),
  };
  const args = ["eval", join(examples, "cart_pole.py"), "--env", "gym:CartPole-v1", "--seeds", "0..2"];
  expect(await runCli(args, world), err.join("")).toBe(EXIT.ok);
  expect(out.join("")).toContain("gym:CartPole-v1: mean return 500");

  await using client = connect({ optimizer: fleet.addresses.optimizer, rollout: fleet.addresses.rollout });
  const { id } = await client.createRun(
    { environment: "docking", model: MODEL, rounds: 2, candidates: 2, heldoutSeeds: [1000n] },
    { idempotencyKey: "the-run" },
  );
  for await (const _ of client.watchRun(id)) {
    // Only the end matters here.
  }
  const run = await client.run(id);
  const [first, second] = run.rounds;
  expect(run.settings?.rewardKind).toBe(types.RewardKind.REWARD_KIND_SOURCE);
  expect(first?.winnerScore?.successRate).toBe(0);
  expect(second?.winnerScore?.successRate).toBe(1);
  expect(run.result?.heldoutScore?.successRate).toBe(1);
  // What the author wrote is what the model is told.
  expect(model.prompts.find((prompt) => prompt.includes("distance = abs(next_obs.position"))).toContain(
    "A shuttle moves along a straight rail",
  );

  // The same without a word of anybody's: texts from spaces and docstring are enough for a run to begin.
  const cartPole = await client.createRun(
    { environment: "gym:CartPole-v1", model: MODEL, rounds: 1, candidates: 1, heldoutSeeds: [1000n] },
    { idempotencyKey: "cart-pole" },
  );
  expect(cartPole.settings?.rewardKind).toBe(types.RewardKind.REWARD_KIND_VAGUE);
  for await (const _ of client.watchRun(cartPole.id)) {
    // Its policy is the wrong one: it fails in each of its repairs, and the run ends all the same.
  }
  expect(model.prompts.some((prompt) => prompt.includes("keep the pole upright"))).toBe(true);
});
