// Real sidecars as child processes: exact results, whatever is killed meanwhile.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { rollout, types } from "@promptpo/contracts";
import { freshDatabase } from "@promptpo/fleet/testing.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  collect,
  evaluation,
  failureOf,
  metric,
  type RolloutUnderTest,
  startRollout,
} from "./testing/rollout-under-test.ts";
import { endsWithTest, seeds } from "./testing/with-fakes.ts";
import { isAlive, python, realSidecars, served, wanderer } from "./testing/with-sidecars.ts";

describe("with two sidecars of its own the service", () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let service: RolloutUnderTest;
  beforeAll(async () => {
    database = await freshDatabase();
    service = await startRollout({
      DATABASE_URL: database.url,
      PROMPTPO_RESULT_CACHE: "off",
      ...realSidecars(2),
    });
    await served(service, 2);
  });
  afterAll(async () => {
    await service.stop();
    await database.drop();
  });

  test("gives a bare gymnasium loop's returns, bit for bit", async () => {
    const { episodes } = await collect(
      service.client.evaluatePolicy(
        evaluation({ environment: "HalfCheetah-v5", policySource: pacer, seeds: [0n, 1n, 51n] }),
      ),
    );
    const bare: unknown = JSON.parse(execFileSync(python, ["-c", `${pacer}\n${bareLoop}`], { encoding: "utf8" }));
    expect(episodes.map(({ returnValue }) => returnValue)).toEqual(bare);
    expect(episodes).toMatchObject([0n, 1n, 51n].map((seed) => ({ seed, length: 1_000n, truncated: true })));
  });

  test("gives the same bits when a sidecar is killed in mid-evaluation", async () => {
    const request = evaluation({ environment: "NoiseWorld-1", policySource: wanderer, seeds: seeds(20) });
    const undisturbed = await collect(service.client.evaluatePolicy(request));
    expect(new Set(undisturbed.episodes.map(({ returnValue }) => returnValue)).size).toBeGreaterThan(1);

    const pids = (await served(service, 2)).filter(isAlive);
    const disturbed: types.EpisodeResult[] = [];
    let summary: rollout.EvaluationSummary | undefined;
    for await (const { part } of service.client.evaluatePolicy(request)) {
      if (part?.$case === "summary") summary = part.value;
      if (part?.$case !== "episode") continue;
      if (disturbed.length === 0) for (const pid of pids) process.kill(pid, "SIGKILL");
      disturbed.push(part.value);
    }
    expect({ episodes: disturbed, summary }).toEqual(undisturbed);
    expect(await metric(service.metrics, "promptpo_rollout_sidecar_restarts_total")).toBe(2);
    expect((await served(service, 4)).filter(isAlive)).toHaveLength(2);
  });

  test("answers a policy's failure with a result, the other episodes unharmed", async () => {
    const fails = `
class NoiseWorldPolicy:
    def __init__(self):
        self.step = 0
    def act(self, obs):
        self.step += 1
        if self.step == 3 and obs.agent_row == 0 and obs.agent_col == 0:
            raise ValueError("stuck at the start")
        return 1
`;
    const { episodes, summary } = await collect(
      service.client.evaluatePolicy(
        evaluation({ environment: "NoiseWorld-0", policySource: `${fails}`, seeds: seeds(6) }),
      ),
    );
    expect(episodes.map(({ seed }) => seed)).toEqual(seeds(6));
    const failed = episodes.filter(({ error }) => error !== undefined);
    expect(Number(summary.failedCount)).toBe(failed.length);
    const unparsable = await collect(
      service.client.evaluatePolicy(
        evaluation({ environment: "NoiseWorld-0", policySource: "class P:\n  def act(self obs)", seeds: [0n] }),
      ),
    );
    expect(unparsable.episodes[0]?.error).toMatchObject({ kind: types.PolicyError_Kind.KIND_SYNTAX, line: 2 });
    expect(unparsable.summary).toMatchObject({ meanReturn: Number.NaN, failedCount: 1n });
  });

  test("runs a feedback program over episodes that it simulates again", async () => {
    const feedbackSource = `
class Feedback:
    def summarize_trajectory(self, traj):
        return f"{len(traj)} steps, first row {traj[0].agent_row:.1f}"
`;
    const answer = await service.client.summarizeTrajectories(
      rollout.SummarizeTrajectoriesRequest.fromPartial({
        environment: "NoiseWorld-0",
        feedbackSource,
        resimulation: { policySource: wanderer, seeds: [3n, 1n] },
        requestId: "summary",
      }),
    );
    const { episodes } = await collect(
      service.client.evaluatePolicy(
        evaluation({ environment: "NoiseWorld-0", policySource: wanderer, seeds: [3n, 1n] }),
      ),
    );
    expect(answer.summaries.map(({ text }) => text)).toEqual(
      episodes.map(({ length }) => `${length} steps, first row 0.0`),
    );
    expect(answer.stepCount).toBe(episodes.reduce((sum, { length }) => sum + length, 0n));
  });

  test("draws a video of an episode, the same one that it scored", async () => {
    const episode = { environment: "NoiseWorld-0", policySource: wanderer, seed: 3n };
    const { video, episode: drawn } = await service.client.renderEpisode(
      rollout.RenderEpisodeRequest.fromPartial({ ...episode, height: 128 }),
    );
    const scored = await collect(service.client.evaluatePolicy(evaluation({ ...episode, seeds: [3n] })));
    expect(drawn).toEqual(scored.episodes[0]);
    const pieces: Buffer[] = [];
    const sha256 = video?.sha256 ?? "";
    for await (const { data } of service.client.getArtifact(rollout.GetArtifactRequest.fromPartial({ sha256 }))) {
      pieces.push(data);
    }
    expect(Buffer.concat(pieces).toString("latin1", 4, 8)).toBe("ftyp");
    expect(video).toMatchObject({ mediaType: "video/mp4", sizeBytes: BigInt(Buffer.concat(pieces).length) });
    const nothing = await service.client.renderEpisode(
      rollout.RenderEpisodeRequest.fromPartial({ ...episode, policySource: "def (" }),
    );
    expect(nothing).toMatchObject({
      video: undefined,
      frameCount: 0n,
      episode: { error: { kind: types.PolicyError_Kind.KIND_SYNTAX } },
    });
  });

  test("names the nearest environment", async () => {
    const error = await failureOf(
      service.client.getEnvironment(rollout.GetEnvironmentRequest.fromPartial({ environment: "halfchetah-v5" })),
    );
    expect(error.metadata["nearest"]?.split(",")[0]).toBe("HalfCheetah-v5");
  });

  test("gives its sidecars no secret, and takes them along when it ends", async () => {
    const pids = (await served(service, 4)).filter(isAlive);
    for (const pid of pids) {
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
      expect(environment).toContain("PYTHONHASHSEED=0");
      expect(environment.filter((entry) => /DATABASE_URL|postgres:|KEY|TOKEN/.test(entry))).toEqual([]);
    }
    await service.stop();
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

test("a sidecar that hangs is found by its silence and ended, and its episodes run elsewhere with the same bits", async () => {
  const database = endsWithTest(await freshDatabase());
  const service = endsWithTest(
    await startRollout({
      DATABASE_URL: database.url,
      ...realSidecars(2),
      PROMPTPO_RESULT_CACHE: "off",
      PROMPTPO_SIDECAR_SILENCE_MS: "5000",
    }),
  );
  const request = evaluation({ environment: "NoiseWorld-1", policySource: wanderer, seeds: seeds(20) });
  const undisturbed = await collect(service.client.evaluatePolicy(request));
  const serving = await service.logged((line) => line["msg"] === "a sidecar serves");
  const pid = Number(serving["pid"]);
  let isStopped = false;
  async function* disturbing() {
    for await (const message of service.client.evaluatePolicy(request)) {
      if (!isStopped) process.kill(pid, "SIGSTOP");
      isStopped = true;
      yield message;
    }
  }
  expect(await collect(disturbing())).toEqual(undisturbed);
  await service.logged((line) => String(line["why"]).includes("no sign of life for 5000 ms"));
  // Its successor comes when it is gone.
  let servedCount = 0;
  await service.logged((line) => line["msg"] === "a sidecar serves" && ++servedCount === 3);
  expect(isAlive(pid)).toBe(false);
});

test("a sidecar that cannot start is named with its last words, and the service goes on trying", async () => {
  const database = endsWithTest(await freshDatabase());
  const service = endsWithTest(
    await startRollout({
      DATABASE_URL: database.url,
      ...realSidecars(1),
      PROMPTPO_PYTHON_PATH: "/nowhere",
      PROMPTPO_SIDECAR_WAIT_MS: "1500",
    }),
  );
  const error = await failureOf(service.client.listEnvironments(rollout.ListEnvironmentsRequest.create()));
  expect(error).toMatchObject({ reason: "NO_SIDECAR" });
  expect(error.message).toContain("No module named");
});

/** Deterministic, and not trivially so: its actions depend on what it sees. */
const pacer = `
import numpy as np

class HalfCheetahPolicy:
    def __init__(self):
        self.t = 0
    def act(self, obs):
        self.t += 1
        return np.sin(0.3 * self.t + np.arange(6)) * np.tanh(np.abs(obs.obs_vector[:6]))
`;
const bareLoop = `
import json
import gymnasium

class Seen:
    pass

returns = []
for seed in (0, 1, 51):
    env = gymnasium.make("HalfCheetah-v5")
    vector, _ = env.reset(seed=seed)
    policy, total, over = HalfCheetahPolicy(), 0.0, False
    while not over:
        seen = Seen()
        seen.obs_vector = vector
        vector, reward, terminated, truncated, _ = env.step(policy.act(seen))
        total += float(reward)
        over = terminated or truncated
    returns.append(total)
print(json.dumps(returns))
`;
