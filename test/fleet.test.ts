// The fleet as its users meet it: a recorded run replayed strictly to its digest, a policy of one's own scored as a bare
// gymnasium loop scores it, the examples run from a folder outside of the checkout, reflection read by another language.
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { optimizer } from "@promptpo/client";
import { type Fleet, startFleet } from "@promptpo/fleet";
import { temporaryFolder } from "@promptpo/fleet/testing.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { promptpo } from "./testing/command.ts";
import { replay } from "./testing/replay.ts";

const root = resolve(import.meta.dirname, "..");
const python = join(root, ".promptpo/venv/bin/python");
const recording = join(root, "recordings/noiseworld-1");
const scratch = temporaryFolder("promptpo-fleet");
const run = promisify(execFile);

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({
    folder: join(scratch, "data"),
    purpose: "fleet test",
    env: process.env,
    recording: { folder: recording, mode: "replay" },
  });
}, 120_000);
afterAll(() => fleet?.stop());

test("the recorded run of NoiseWorld replays strictly to the digest that it was recorded with", async () => {
  const { run: ended, recordedDigest } = await replay(fleet, recording, { exactEverywhere: true });
  expect(ended.state).toBe(optimizer.RunState.RUN_STATE_SUCCEEDED);
  expect(ended.digest).toBe(recordedDigest);
  expect(ended.usage?.freeCallCount).toBe(ended.usage?.callCount);
});

/** Constants only: each simulator's episodes then depend on nothing but its seed. */
const policies = {
  "HalfCheetah-v5": "np.sin(np.arange(6) + self.step / 7)",
  "button-press-v3": "np.cos(np.arange(4) + self.step / 11).astype(np.float32)",
  "NoiseWorld-4": "self.step % 4",
};

function policySource(action: string): string {
  return `import numpy as np


class Policy:
    def __init__(self):
        self.step = 0

    def act(self, obs):
        self.step += 1
        return ${action}
`;
}

/** Returns of the seeds 0, 1 and 7, from a loop without any of our services. */
const bareLoop = `
import json, sys
environment, source = sys.argv[1], open(sys.argv[2]).read()
def gymnasium_loop(seed):
    import gymnasium
    env = gymnasium.make(environment)
    env.reset(seed=seed)
    return env.step
def metaworld_loop(seed):
    import metaworld.env_dict as d
    env = d.ALL_V3_ENVIRONMENTS[environment]()
    env._partially_observable = False
    env.__dict__.pop("sawyer_observation_space", None)
    env._set_task_called, env._freeze_rand_vec, env.seeded_rand_vec = True, False, True
    env.seed(seed)
    env.reset()
    return env.step
def noiseworld_loop(seed):
    from promptpo.sim.environments.registry import make
    env = make(environment)
    env.reset(seed)
    def step(action):
        s = env.step(action)
        return s.observation, s.reward, s.terminated, s.truncated, {}
    return step
begin = noiseworld_loop if environment.startswith("Noise") else metaworld_loop if environment.endswith("-v3") else gymnasium_loop
returns = []
for seed in (0, 1, 7):
    space = {}
    exec(source, space)
    policy, step, total = space["Policy"](), begin(seed), 0.0
    while True:
        _, reward, terminated, truncated, _ = step(policy.act(None))
        total += float(reward)
        if terminated or truncated:
            break
    returns.append(total)
print(json.dumps(returns))
`;

describe("promptpo eval", () => {
  test.each(Object.entries(policies))(
    "gives the returns of a bare loop of %s, bit for bit",
    async (environment, action) => {
      const file = join(scratch, `${environment}.py`);
      writeFileSync(file, policySource(action));
      const bare = await run(python, ["-c", bareLoop, environment, file], {
        env: { ...process.env, PYTHONPATH: join(root, "python"), OPENBLAS_NUM_THREADS: "1" },
      });
      const { code, out, err } = await promptpo(
        fleet.folder,
        "eval",
        file,
        "--env",
        environment,
        "--seeds",
        "0,1,7",
        "--json",
      );
      expect(code, err).toBe(0);
      const document = JSON.parse(out) as { episodes: { seed: number; return: number }[]; mean_return: number };
      expect(document.episodes.map((episode) => episode.seed)).toEqual([0, 1, 7]);
      const returns: unknown = JSON.parse(bare.stdout);
      expect(document.episodes.map((episode) => episode.return)).toEqual(returns);
    },
  );

  test("leaves the other episodes their results when one fails", async () => {
    const file = join(scratch, "fails.py");
    writeFileSync(
      file,
      "class NoiseWorldPolicy:\n    steps = 0\n    def act(self, obs):\n        import random\n        if random.random() < 0.01:\n            raise ValueError('unlucky')\n        return 0\n",
    );
    const { out } = await promptpo(fleet.folder, "eval", file, "--env", "NoiseWorld-1", "--seeds", "0..9", "--json");
    const { episodes } = JSON.parse(out) as { episodes: { return: number; error: { message: string } | null }[] };
    const failed = episodes.filter(({ error }) => error !== null);
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThan(10);
    expect(failed[0]?.error).toMatchObject({ message: expect.stringContaining("unlucky") });
    expect(episodes.filter(({ error }) => error === null).map((episode) => episode.return)).toContain(-100);
  });
});

describe("the examples, from a folder outside of the checkout", () => {
  test("TypeScript and Python score a policy alike", async () => {
    const folder = join(scratch, "lab");
    mkdirSync(folder);
    for (const language of ["typescript", "python"])
      cpSync(join(root, "examples", language), join(folder, language), { recursive: true });
    mkdirSync(join(folder, "typescript/node_modules/@promptpo"), { recursive: true });
    symlinkSync(join(root, "packages/client"), join(folder, "typescript/node_modules/@promptpo/client"));
    const env = {
      PATH: process.env["PATH"],
      PROMPTPO_ROLLOUT: fleet.addresses.rollout,
      PROMPTPO_OPTIMIZER: fleet.addresses.optimizer,
      PROMPTPO_GATEWAY: fleet.addresses.gateway,
    };
    const policy = join(scratch, "lab-policy.py");
    writeFileSync(policy, "class NoiseWorldPolicy:\n    def act(self, obs):\n        return 3\n");
    const ts = await run(process.execPath, ["evaluate.ts", "NoiseWorld-1", policy], {
      cwd: join(folder, "typescript"),
      env,
    });
    const py = await run(python, ["evaluate.py", "NoiseWorld-1", policy], {
      cwd: join(folder, "python"),
      env: { ...env, PYTHONPATH: join(root, "python") },
    });
    // Python writes -100.0 where TypeScript writes -100.
    expect(py.stdout.replaceAll(/\.0\b/g, "")).toBe(ts.stdout);
    expect(ts.stdout).toContain("-100");
  });
});

test("Python's reflection client reads the contracts of every service", async () => {
  const script = `
import sys, grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
for target in sys.argv[1:]:
    database = ProtoReflectionDescriptorDatabase(grpc.insecure_channel(target))
    pool = DescriptorPool(database)
    for name in database.get_services():
        for method in pool.FindServiceByName(name).methods:
            print(f"{name}/{method.name}({method.input_type.full_name})")
`;
  const { stdout } = await run(python, ["-c", script, ...Object.values(fleet.addresses)]);
  expect(stdout).toContain("promptpo.optimizer.v1.Optimizer/CreateRun(promptpo.optimizer.v1.CreateRunRequest)");
  expect(stdout).toContain(
    "promptpo.rollout.v1.RolloutService/EvaluatePolicy(promptpo.rollout.v1.EvaluatePolicyRequest)",
  );
  expect(stdout).toContain("promptpo.llm.v1.LlmGateway/Complete(promptpo.llm.v1.CompleteRequest)");
});

test("every service shows its metrics", async () => {
  for (const address of Object.values(fleet.metrics)) {
    const text = await (await fetch(`http://${address}/metrics`)).text();
    expect(text).toContain("grpc_server_handled_total");
    expect(readFileSync(join(fleet.folder, "fleet.json"), "utf8")).toContain(address);
  }
});
