// Environments and evaluations through the whole service, on a real database and fake sidecars.
import { rollout, types } from "@promptpo/contracts";
import { describe, expect, test } from "vitest";
import { type FakeBehaviour, fakeEpisode, fakeReturn } from "./testing/fake-sidecar.ts";
import { collect, failureOf, metric, startRollout } from "./testing/rollout-under-test.ts";
import { endsWithTest, fake, gate, leftAlone, seeds, start } from "./testing/with-fakes.ts";

describe("environments", () => {
  test("are listed once an id without texts, and shown with them", async () => {
    const { client } = await start();
    const list = await client.listEnvironments(rollout.ListEnvironmentsRequest.create());
    expect(list.environments.map(({ id, texts }) => [id, texts])).toEqual([["Fake-v0", undefined]]);
    expect(list.fingerprint?.architecture).toBe("fake");
    const full = await client.getEnvironment(
      rollout.GetEnvironmentRequest.fromPartial({ environment: "Fake-v0", variant: "other" }),
    );
    expect(full.environment?.texts?.observation).toBe("what is seen of other");
    const basic = await client.getEnvironment(
      rollout.GetEnvironmentRequest.fromPartial({
        environment: "Fake-v0",
        view: rollout.EnvironmentView.ENVIRONMENT_VIEW_BASIC,
      }),
    );
    expect(basic.environment).toMatchObject({ id: "Fake-v0", texts: undefined });
  });

  test("that do not exist are answered with the nearest, for every method that takes one", async () => {
    const { client } = await start();
    const wrong = { environment: "fake-v1", policySource: "" };
    const errors = [
      await failureOf(client.getEnvironment(rollout.GetEnvironmentRequest.fromPartial(wrong))),
      await failureOf(collect(client.evaluatePolicy(fake({ ...wrong, requestId: "r" })))),
      await failureOf(client.renderEpisode(rollout.RenderEpisodeRequest.fromPartial(wrong))),
      await failureOf(
        client.summarizeTrajectories(
          rollout.SummarizeTrajectoriesRequest.fromPartial({ ...wrong, resimulation: { seeds: [0n] } }),
        ),
      ),
    ];
    for (const error of errors) {
      expect(error).toMatchObject({ reason: "UNKNOWN_ENVIRONMENT", metadata: { nearest: "Fake-v0" } });
    }
    // A refused request leaves no trace.
    const trace = await failureOf(client.getEvaluation(rollout.GetEvaluationRequest.create({ requestId: "r" })));
    expect(trace.reason).toBe("UNKNOWN_EVALUATION");
  });
});

describe("an evaluation", () => {
  test("gives episodes in seed order and the summary last, from several sidecars, bits unchanged", async () => {
    const { client, sidecars } = await start([{ horizon: 1_000 }, { horizon: 1_000 }]);
    const order = [7n, 3n, 2n ** 32n - 1n, 0n, 11n, 5n];
    const { episodes, summary } = await collect(client.evaluatePolicy(fake({ seeds: order })));
    expect(episodes).toEqual(order.map(fakeEpisode));
    let sum = 0;
    for (const seed of order) sum += fakeReturn(seed);
    expect(Object.is(summary.meanReturn, sum / order.length)).toBe(true);
    expect(summary).toMatchObject({ stepCount: 42n, failedCount: 0n, confined: true, cached: false });
    expect(summary.fingerprint?.digest).toBe("f".repeat(64));
    expect(sidecars.flatMap(({ answered }) => answered).sort()).toEqual([...order].sort());
  });

  test("is simulated once for a request_id: repeated, joined in flight, and read back", async () => {
    const door = gate();
    const { client, sidecars } = await start([{ before: (_seed, _request, signal) => door.pass(signal) }]);
    const request = fake({ requestId: "run/r1/c00/evaluation/0" });
    const first = collect(client.evaluatePolicy(request));
    await door.reached;
    const second = collect(client.evaluatePolicy(request));
    const running = await client.getEvaluation(rollout.GetEvaluationRequest.fromPartial(request));
    expect(running).toMatchObject({ state: rollout.EvaluationState.EVALUATION_STATE_RUNNING, episodes: [] });
    door.open();
    const results = [await first, await second, await collect(client.evaluatePolicy(request))];
    for (const result of results) expect(result).toEqual(results[0]);
    expect(sidecars[0]?.answered).toEqual(seeds(5));
    const stored = await client.getEvaluation(rollout.GetEvaluationRequest.fromPartial(request));
    expect(stored.state).toBe(rollout.EvaluationState.EVALUATION_STATE_SUCCEEDED);
    expect({ episodes: stored.episodes, summary: stored.summary }).toEqual(results[0]);
  });

  test("tells now and then how far it is, without a word of it in what is kept", async () => {
    const door = gate();
    const before: FakeBehaviour["before"] = (seed, _request, signal) =>
      seed < 2n ? Promise.resolve() : door.pass(signal);
    const { client } = await start([{ before }], { PROMPTPO_PROGRESS_MS: "10" });
    const request = fake({ requestId: "r", seeds: [2n, 0n, 1n, 7n], capture: { all: true } });
    const parts: rollout.EvaluatePolicyResponse["part"][] = [];
    for await (const { part } of client.evaluatePolicy(request)) {
      parts.push(part);
      if (part?.$case !== "progress") continue;
      expect(part.value.episodeCount).toBe(4n);
      // The first one waits at the door.
      if (part.value.queuedCount <= 3n) door.open();
    }
    const steps = parts.flatMap((part) => (part?.$case === "progress" ? part.value : []));
    expect(steps.length).toBeGreaterThan(0);
    for (const { endedCount, stepCount } of steps) expect(stepCount).toBe(7n * endedCount);
    expect(parts.at(-1)?.$case).toBe("summary");
    const again = client.evaluatePolicy(request);
    const kinds: (string | undefined)[] = [];
    for await (const { part } of again) kinds.push(part?.$case);
    expect(kinds).toEqual(["episode", "episode", "episode", "episode", "summary"]);
  });

  test("of another body under a known request_id is refused, in flight and when stored", async () => {
    const door = gate();
    const { client } = await start([{ before: (_seed, _request, signal) => door.pass(signal) }]);
    const first = collect(client.evaluatePolicy(fake({ requestId: "r" })));
    await door.reached;
    const other = fake({ requestId: "r", seeds: [9n] });
    expect((await failureOf(collect(client.evaluatePolicy(other)))).reason).toBe("REQUEST_ID_REUSED");
    door.open();
    await first;
    expect((await failureOf(collect(client.evaluatePolicy(other)))).reason).toBe("REQUEST_ID_REUSED");
  });

  test("with a request_id goes on when its caller leaves", async () => {
    const door = gate();
    const { client, sidecars } = await start([{ before: (_seed, _request, signal) => door.pass(signal) }]);
    const leave = new AbortController();
    const kept = failureOf(collect(client.evaluatePolicy(fake({ requestId: "r" }), { signal: leave.signal })));
    await door.reached;
    leave.abort();
    expect((await kept).reason).toBe("CANCELLED");
    door.open();
    const { episodes } = await collect(client.evaluatePolicy(fake({ requestId: "r" })));
    expect(episodes).toEqual(seeds(5).map(fakeEpisode));
    expect(sidecars[0]?.answered).toEqual(seeds(5));
  });

  test("without a request_id frees its sidecar as soon as its caller leaves", async () => {
    const stopped = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const before: FakeBehaviour["before"] = async (seed, _request, signal) => {
      if (seed !== 0n) return;
      begun.resolve();
      await leftAlone(signal).finally(() => stopped.resolve());
    };
    const { client } = await start([{ before }]);
    const leave = new AbortController();
    const left = failureOf(collect(client.evaluatePolicy(fake(), { signal: leave.signal })));
    await begun.promise;
    leave.abort();
    await left;
    await stopped.promise;
    expect((await collect(client.evaluatePolicy(fake({ seeds: [1n] })))).episodes).toHaveLength(1);
  });

  test("that is cancelled stops, stays cancelled, and says so to whoever waits or asks", async () => {
    const door = gate();
    const { client, sidecars } = await start([{ before: (_seed, _request, signal) => door.pass(signal) }]);
    const request = fake({ requestId: "r" });
    const waiting = failureOf(collect(client.evaluatePolicy(request)));
    await door.reached;
    const answer = await client.cancelEvaluation(rollout.CancelEvaluationRequest.fromPartial(request));
    expect(answer.state).toBe(rollout.EvaluationState.EVALUATION_STATE_CANCELLED);
    expect(await waiting).toMatchObject({ reason: "CANCELLED", message: "evaluation r was cancelled" });
    door.open();
    expect((await failureOf(collect(client.evaluatePolicy(request)))).reason).toBe("CANCELLED");
    const stored = await client.getEvaluation(rollout.GetEvaluationRequest.fromPartial(request));
    expect(stored).toMatchObject({ state: rollout.EvaluationState.EVALUATION_STATE_CANCELLED, episodes: [] });
    expect(sidecars[0]?.answered).toEqual([]);
    // One that has ended stays as it is; one that never was is not found.
    const done = fake({ requestId: "done" });
    await collect(client.evaluatePolicy(done));
    const late = await client.cancelEvaluation(rollout.CancelEvaluationRequest.fromPartial(done));
    expect(late.state).toBe(rollout.EvaluationState.EVALUATION_STATE_SUCCEEDED);
    const never = await failureOf(client.cancelEvaluation(rollout.CancelEvaluationRequest.create({ requestId: "x" })));
    expect(never.reason).toBe("UNKNOWN_EVALUATION");
  });

  test("is cancelled through another replica as well", async () => {
    const door = gate();
    const { client, database, sidecars } = await start([{ before: (_seed, _request, signal) => door.pass(signal) }]);
    const replica = await startRollout({
      DATABASE_URL: database.url,
      PROMPTPO_SIDECAR_TARGETS: sidecars.map(({ address }) => address).join(","),
    });
    endsWithTest(replica);
    const request = fake({ requestId: "r" });
    const waiting = failureOf(collect(client.evaluatePolicy(request)));
    await door.reached;
    await replica.client.cancelEvaluation(rollout.CancelEvaluationRequest.fromPartial(request));
    expect((await waiting).reason).toBe("CANCELLED");
  });

  test("equal to an earlier one is taken from the cache, and simulated again when the cache is off", async () => {
    const { client, sidecars, metrics } = await start();
    const first = await collect(client.evaluatePolicy(fake({ requestId: "a" })));
    const second = await collect(client.evaluatePolicy(fake({ requestId: "b", runId: "other" })));
    expect(second.episodes).toEqual(first.episodes);
    expect(second.summary).toEqual({ ...first.summary, cached: true });
    const more = await collect(client.evaluatePolicy(fake({ seeds: seeds(6) })));
    expect(more.summary).toMatchObject({ cached: false, stepCount: 42n });
    expect(sidecars[0]?.answered).toEqual(seeds(6));
    const counted = (source: string) =>
      metric(metrics, `promptpo_rollout_episodes_total{family="fake",outcome="done",source="${source}"}`);
    expect([await counted("simulated"), await counted("cached")]).toEqual([6, 10]);
    expect(await metric(metrics, 'promptpo_rollout_environment_steps_total{family="fake"}')).toBe(42);
    const own = 'environment="Fake-v0",tenant="default"';
    expect(await metric(metrics, `promptpo_rollout_tenant_episodes_total{${own}}`)).toBe(6);
    expect(await metric(metrics, `promptpo_rollout_tenant_steps_total{${own}}`)).toBe(42);
    // Two steps of each episode that was simulated.
    const timed = 'family="fake",environment="Fake-v0"';
    expect(await metric(metrics, `promptpo_rollout_policy_act_seconds_count{${timed}}`)).toBe(12);
    expect(await metric(metrics, `promptpo_rollout_simulator_step_seconds_sum{${timed}}`)).toBe(6 * 5 * 2 ** -14);
    expect(await metric(metrics, "promptpo_rollout_queue_wait_seconds_count")).toBe(2);

    const off = await start([{}], { PROMPTPO_RESULT_CACHE: "off" });
    await collect(off.client.evaluatePolicy(fake()));
    expect((await collect(off.client.evaluatePolicy(fake()))).summary.cached).toBe(false);
    expect(off.sidecars[0]?.answered).toHaveLength(10);
  });

  test("with one policy object for all seeds is one block, whatever the number of sidecars", async () => {
    const { client, sidecars } = await start([{ horizon: 1_000 }, { horizon: 1_000 }]);
    const policyLifetime = types.PolicyLifetime.POLICY_LIFETIME_EVALUATION;
    await collect(client.evaluatePolicy(fake({ seeds: seeds(8), policyLifetime })));
    expect(sidecars.flatMap(({ blocks }) => blocks)).toMatchObject([{ seeds: seeds(8), policyLifetime }]);
  });

  test("with capture keeps trajectories as artifacts and records them again when they are gone", async () => {
    const { client, sidecars, artifacts } = await start();
    const request = fake({ seeds: [4n, 5n], capture: { seeds: [5n], stride: 3 } });
    const { episodes } = await collect(client.evaluatePolicy(request));
    expect(episodes[0]?.trajectory).toBeUndefined();
    const trajectory = episodes[1]?.trajectory;
    expect(trajectory).toMatchObject({ mediaType: "application/x-npz", sizeBytes: 8n });
    const bytes = async (offset: bigint) => {
      const pieces: Uint8Array[] = [];
      const sha256 = trajectory?.sha256 ?? "";
      for await (const { data } of client.getArtifact(rollout.GetArtifactRequest.create({ sha256, offset }))) {
        pieces.push(data);
      }
      return Buffer.concat(pieces).toString("latin1");
    };
    expect([await bytes(0n), await bytes(5n), await bytes(8n)]).toEqual(["PK\u0003\u0004 5 3", "5 3", ""]);
    const { rm } = await import("node:fs/promises");
    await rm(artifacts, { recursive: true });
    expect((await failureOf(bytes(0n))).reason).toBe("ARTIFACT_NOT_FOUND");
    expect((await collect(client.evaluatePolicy(request))).episodes).toEqual(episodes);
    expect(sidecars[0]?.answered).toEqual([4n, 5n, 5n]);
  });

  test("is refused before anything runs where it makes no sense", async () => {
    const { client, sidecars } = await start();
    const reasonOf = async (more: Parameters<typeof fake>[0]) =>
      (await failureOf(collect(client.evaluatePolicy(fake(more))))).reason;
    expect(await reasonOf({ seeds: [1n, 1n] })).toBe("INVALID_SEEDS");
    expect(await reasonOf({ policySource: "x".repeat(2 ** 20 + 1) })).toBe("POLICY_TOO_LARGE");
    expect(await reasonOf({ limits: { memoryBytes: 1n } })).toBe("INVALID_ARGUMENT");
    expect(await reasonOf({ variant: "othr" })).toBe("UNKNOWN_VARIANT");
    expect(sidecars[0]?.blocks).toEqual([]);
  });

  test("in a batch has its messages marked; the batch is refused whole when one of it is wrong", async () => {
    const { client } = await start([{}, {}]);
    const requests = ["a", "b", "c"].map((requestId, at) => fake({ requestId, seeds: seeds(at + 2) }));
    const parts = new Map<string, (rollout.EvaluatePolicyResponse | undefined)[]>();
    for await (const { requestId, response } of client.batchEvaluate({ requests })) {
      if (response?.part?.$case === "progress") continue;
      parts.set(requestId, [...(parts.get(requestId) ?? []), response]);
    }
    for (const [at, id] of ["a", "b", "c"].entries()) {
      expect(parts.get(id)?.map((response) => response?.part?.$case)).toEqual([
        ...seeds(at + 2).map(() => "episode"),
        "summary",
      ]);
    }
    const wrong = { requests: [fake({ requestId: "d" }), fake({ requestId: "e", seeds: [] })] };
    const iterate = async () => {
      for await (const _ of client.batchEvaluate(wrong)) throw new Error("nothing should come");
    };
    const error = await failureOf(iterate());
    expect(error).toMatchObject({ reason: "INVALID_SEEDS", violations: [{ field: "requests[1].seeds" }] });
    const trace = await failureOf(client.getEvaluation(rollout.GetEvaluationRequest.create({ requestId: "d" })));
    expect(trace.reason).toBe("UNKNOWN_EVALUATION");
  });
});
