// Sessions on real sidecars as child processes: stepped as a bare loop steps, whatever is killed meanwhile.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { durationFromMs, rollout, sim } from "@promptpo/contracts";
import { freshDatabase } from "@promptpo/fleet/testing.ts";
import { createClient } from "@promptpo/service-kit";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failureOf, metric, type RolloutUnderTest, startRollout } from "./testing/rollout-under-test.ts";
import { acting, openStream, resetting } from "./testing/step-stream.ts";
import { isAlive, python, realSidecars, served } from "./testing/with-sidecars.ts";

/** Five seeds, three steps of ones each; observations as hex, rewards exact. */
const bareLoop = `
import json, gymnasium, numpy
found = []
for seed in range(7, 12):
    env = gymnasium.make("HalfCheetah-v5")
    rows = [env.reset(seed=seed)[0].tobytes().hex()]
    rewards = []
    for _ in range(3):
        observation, reward, *_ = env.step(numpy.ones(6, dtype=numpy.float32))
        rows.append(observation.tobytes().hex())
        rewards.append(numpy.float64(reward).tobytes().hex())
    found.append([rows, rewards])
print(json.dumps(found))
`;

describe("with two sidecars of its own the service", () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let service: RolloutUnderTest;
  const steps = 'promptpo_rollout_session_steps_total{family="mujoco",tenant="default"}';

  beforeAll(async () => {
    database = await freshDatabase();
    service = await startRollout({
      DATABASE_URL: database.url,
      PROMPTPO_SESSION_REPORT_MS: "100",
      ...realSidecars(2),
    });
    await served(service, 2);
  });
  afterAll(async () => {
    await service.stop();
    await database.drop();
  });

  async function create(more: Parameters<typeof rollout.CreateEnvSessionRequest.fromPartial>[0]) {
    const { session } = await service.client.createEnvSession(rollout.CreateEnvSessionRequest.fromPartial(more));
    if (session === undefined) throw new Error("there is no session");
    return session;
  }

  test("gives a bare gymnasium loop's bits, from both shards", async () => {
    const session = await create({ environment: "HalfCheetah-v5", environmentCount: 5, seeds: [7n] });
    expect(session.shards.map(({ environmentCount }) => environmentCount)).toEqual([3, 2]);
    const before = (await metric(service.metrics, steps)) ?? 0;
    const found: [string[], string[]][] = [];
    for (const shard of session.shards) {
      await using stream = await openStream(session, shard);
      expect(stream.opened).toMatchObject({ environmentCount: shard.environmentCount, unixSocket: shard.unixSocket });
      expect(existsSync(shard.unixSocket)).toBe(true);
      const rows = Array.from({ length: shard.environmentCount }, (): [string[], string[]] => [[], []]);
      const reset = await stream.ask(resetting(0n));
      const ones = new Uint8Array(new Float32Array(6 * shard.environmentCount).fill(1).buffer);
      for (const [at, [observations]] of rows.entries()) observations.push(hexOf(reset.observations[0], at, 17));
      for (let step = 1n; step <= 3n; step++) {
        const moved = await stream.ask(acting(step, ones));
        for (const [at, [observations, rewards]] of rows.entries()) {
          observations.push(hexOf(moved.observations[0], at, 17));
          rewards.push(hexOf(moved.rewards, at, 1));
        }
      }
      found.push(...rows);
    }
    const bare: unknown = JSON.parse(execFileSync(python, ["-c", bareLoop], { encoding: "utf8" }));
    expect(found).toEqual(bare);
    await service.client.closeEnvSession({ id: session.id });
    expect(await metric(service.metrics, steps)).toBe(before + 15);
    expect(session.shards.map(({ unixSocket }) => existsSync(unixSocket))).toEqual([false, false]);
    const [shard] = session.shards;
    if (shard === undefined) throw new Error("there is no shard");
    expect((await failureOf(openStream(session, shard))).reason).toBe("UNKNOWN_SESSION");
  });

  test("steps any installed gymnasium environment", async () => {
    const session = await create({ environment: "gym:CartPole-v1", environmentCount: 1, seeds: [3n] });
    const [shard] = session.shards;
    if (shard === undefined) throw new Error("there is no shard");
    await using stream = await openStream(session, shard);
    const reset = await stream.ask(resetting(0n));
    // Four float32.
    expect(reset.observations.map(({ length }) => length)).toEqual([16]);
    const moved = await stream.ask(acting(1n, new Uint8Array(new BigInt64Array([1n]).buffer)));
    expect(Buffer.from(moved.rewards).readDoubleLE()).toBe(1);
    await service.client.closeEnvSession({ id: session.id });
  });

  test("passes on what an environment says of its options", async () => {
    const error = await failureOf(
      create({ environment: "HalfCheetah-v5", environmentCount: 2, options: { no_such_option: 1 } }),
    );
    expect(error.reason).toBe("INVALID_ARGUMENT");
    expect(error.message).toContain("no_such_option");
  });

  test("frees a session whose lease lapses", async () => {
    const session = await create({ environment: "NoiseWorld-0", environmentCount: 1, lease: durationFromMs(1_000) });
    await service.logged(
      (line) => line["msg"] === "a session's lease lapsed" && String(line["session"]) === session.id,
    );
    expect(session.shards.map(({ unixSocket }) => existsSync(unixSocket))).toEqual([false]);
    const gone = await failureOf(service.client.renewEnvSession({ id: session.id, lease: undefined }));
    expect(gone.reason).toBe("UNKNOWN_SESSION");
  });

  test("places the shard of a killed sidecar anew: its environments are dead once, the others go on", async () => {
    const session = await create({ environment: "NoiseWorld-0", environmentCount: 3, seeds: [1n] });
    const [first, second] = session.shards;
    if (first === undefined || second === undefined) throw new Error("there are not two shards");
    await using kept = await openStream(session, first);
    await kept.ask(resetting(0n));
    await using broken = await openStream(session, second);
    await broken.ask(resetting(0n));
    process.kill(await pidAt(second.target), "SIGKILL");
    await expect(broken.next()).rejects.toMatchObject({ reason: "SIDECAR_UNAVAILABLE" });

    const { session: renewed } = await service.client.renewEnvSession({ id: session.id, lease: undefined });
    if (renewed === undefined) throw new Error("there is no session");
    expect(renewed.shards[0]).toEqual(first);
    const moved = renewed.shards[1];
    if (moved === undefined) throw new Error("a shard is missing");
    expect(moved).toMatchObject({ firstIndex: 2, environmentCount: 1 });
    expect(moved.target).not.toBe(second.target);

    await using anew = await openStream(renewed, moved, 0n);
    const dead = await anew.ask(acting(1n, new Uint8Array(new BigInt64Array([1n]).buffer)));
    expect(dead).toMatchObject({ step: 1n, causes: { 0: "the sidecar that held it died" } });
    expect([...dead.truncated]).toEqual([1]);
    const alive = await kept.ask(acting(1n, new Uint8Array(new BigInt64Array([1n, 1n]).buffer)));
    expect(alive).toMatchObject({ step: 1n, causes: {} });
    await service.client.closeEnvSession({ id: session.id });
  });

  test("leaves no process when it stops", async () => {
    const session = await create({ environment: "NoiseWorld-0", environmentCount: 2 });
    const sidecars = await Promise.all(session.shards.map(({ target }) => pidAt(target)));
    const all = [...sidecars, ...sidecars.flatMap(childrenOf)];
    // A worker, its warm parent or a shard each, at the least.
    expect(all.length).toBeGreaterThanOrEqual(6);
    await service.stop();
    expect(all.filter(isAlive)).toEqual([]);
    const connection = new pg.Client({ connectionString: database.url });
    await connection.connect();
    const { rows } = await connection.query("select distinct state, token from sessions");
    await connection.end();
    expect(rows).toEqual([{ state: "CLOSED", token: "" }]);
    expect(session.shards.map(({ unixSocket }) => existsSync(unixSocket))).toEqual([false, false]);
  });
});

/** The sidecar that listens there. */
async function pidAt(target: string): Promise<number> {
  const client = createClient(sim.SimulatorService, { target, unavailable: "SIDECAR_UNAVAILABLE" });
  try {
    return Number((await client.handshake(sim.HandshakeRequest.create({ protocolVersion: 1 }))).pid);
  } finally {
    client.close();
  }
}

/** Processes that it started and that have not ended. */
function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
}

/** Row `at` of packed float64 rows, as numpy's `tobytes().hex()` writes it. */
function hexOf(packed: Uint8Array | undefined, at: number, width: number): string {
  return Buffer.from(packed ?? [])
    .subarray(at * width * 8, (at + 1) * width * 8)
    .toString("hex");
}
