// Sidecars that misbehave on purpose, and the queue before them.
import { rollout, sha256 } from "@promptpo/contracts";
import { describe, expect, test } from "vitest";
import { type FakeBehaviour, fakeEpisode, startFakeSidecar, vanished } from "./testing/fake-sidecar.ts";
import { collect, failureOf, metric } from "./testing/rollout-under-test.ts";
import { endsWithTest, fake, gate, leftAlone, seeds, start } from "./testing/with-fakes.ts";

describe("sidecars", () => {
  test("that vanish in mid-block lose nothing: what they had not finished runs on the others", async () => {
    let deaths = 0;
    const before: FakeBehaviour["before"] = async (seed) => {
      if (seed === 3n && deaths++ === 0) throw vanished();
    };
    const { client, sidecars, metrics } = await start([{ before }, { before }]);
    const { episodes } = await collect(client.evaluatePolicy(fake({ seeds: seeds(20), requestId: "r" })));
    expect(episodes).toEqual(seeds(20).map(fakeEpisode));
    expect(sidecars.flatMap(({ answered }) => answered).sort()).toEqual(seeds(20).sort());
    expect(await metric(metrics, "promptpo_rollout_sidecar_restarts_total")).toBe(1);
  });

  test("killed twice by one episode end that evaluation with the evidence and no other", async () => {
    let isDeadly = true;
    const before: FakeBehaviour["before"] = async (seed) => {
      if (isDeadly && seed === 3n) throw vanished();
    };
    const tokens = { ada: "a".repeat(20), bob: "b".repeat(20) };
    const { as, sidecars, metrics } = await start([{ before }, { before }], {
      PROMPTPO_RESULT_CACHE: "off",
      PROMPTPO_TOKENS: JSON.stringify(tokens),
    });
    const client = as(tokens.ada);
    const doomed = failureOf(collect(client.evaluatePolicy(fake({ requestId: "doomed" }))));
    const others = [
      collect(client.evaluatePolicy(fake({ seeds: [10n, 11n, 12n] }))),
      collect(as(tokens.bob).evaluatePolicy(fake({ seeds: [20n, 21n, 22n] }))),
    ];
    const error = await doomed;
    expect(error).toMatchObject({
      reason: "SIDECAR_DIED",
      metadata: {
        unit: "seed 3 of Fake-v0",
        environment: "Fake-v0",
        seed: "3",
        policy_sha256: sha256("class FakePolicy: ..."),
        death_1: expect.stringContaining("the fake sidecar vanished"),
        death_2: expect.stringContaining("the fake sidecar vanished"),
      },
    });
    expect(error.message).toContain("2 sidecars died while they ran seed 3 of Fake-v0");
    for (const other of others) expect((await other).episodes).toHaveLength(3);
    expect(await metric(metrics, "promptpo_rollout_sidecar_restarts_total")).toBe(2);
    // What was simulated before is kept; the evaluation waits for somebody to ask again.
    const stored = await client.getEvaluation(rollout.GetEvaluationRequest.create({ requestId: "doomed" }));
    expect(stored.state).toBe(rollout.EvaluationState.EVALUATION_STATE_QUEUED);
    const kept = stored.episodes.map(({ seed }) => seed);
    expect(kept).toContain(0n);
    isDeadly = false;
    const { episodes } = await collect(client.evaluatePolicy(fake({ requestId: "doomed" })));
    expect(episodes).toEqual(seeds(5).map(fakeEpisode));
    // What another sidecar had under way when the evaluation ended may have been simulated and not been heard of.
    const answered = sidecars.flatMap((sidecar) => sidecar.answered).filter((seed) => seed < 10n);
    expect([...new Set(answered)].sort()).toEqual(seeds(5));
    expect(answered.filter((seed) => kept.includes(seed)).sort()).toEqual(kept.sort());
  });

  test("that give no sign of life are given up and their work runs elsewhere", async () => {
    let hangs = 0;
    const before: FakeBehaviour["before"] = (seed, _request, signal) =>
      seed === 2n && hangs++ === 0 ? leftAlone(signal) : Promise.resolve();
    const { client, logged } = await start([{ before }, { before }], { PROMPTPO_SIDECAR_SILENCE_MS: "300" });
    const { episodes } = await collect(client.evaluatePolicy(fake()));
    expect(episodes).toEqual(seeds(5).map(fakeEpisode));
    await logged((line) => String(line["why"]).includes("no sign of life"));
  });

  test("of another fingerprint are kept out, with an error in the log and a metric", async () => {
    const odd = { digest: "0".repeat(64) };
    const { client, sidecars, logged, metrics } = await start([{}, odd, {}]);
    await logged((line) => line["level"] === "error" && String(line["msg"]).includes("fingerprint"));
    const { summary } = await collect(client.evaluatePolicy(fake({ seeds: seeds(50) })));
    expect(summary.fingerprint?.digest).toBe("f".repeat(64));
    expect(sidecars[1]?.blocks).toEqual([]);
    expect(await metric(metrics, "promptpo_rollout_fingerprint_disagreements_total")).toBe(1);
    expect(await metric(metrics, 'promptpo_rollout_sidecars{state="odd"}')).toBe(1);
    expect(await metric(metrics, 'promptpo_rollout_sidecars{state="serving"}')).toBe(2);
  });

  test("that cannot confine refuse every policy with their reason, unless the operator allowed it", async () => {
    const { client } = await start([{ confined: false }]);
    const error = await failureOf(collect(client.evaluatePolicy(fake())));
    expect(error).toMatchObject({ reason: "CANNOT_CONFINE", metadata: { problem: "the kernel has no Landlock" } });
    const allowed = await start([{ confined: false }], { PROMPTPO_UNCONFINED: "1" });
    expect((await collect(allowed.client.evaluatePolicy(fake()))).summary.confined).toBe(false);
  });

  test("that are all away make work wait: it is done when one comes, or given back at the deadline", async () => {
    const { client, sidecars } = await start();
    const address = sidecars[0]?.address ?? "";
    await collect(client.evaluatePolicy(fake({ requestId: "before" })));
    await sidecars[0]?.stop();
    const late = await failureOf(
      collect(client.evaluatePolicy(fake({ requestId: "r", seeds: [8n] }), { timeoutMs: 800 })),
    );
    expect(late).toMatchObject({ reason: "NO_SIDECAR", retryAfterMs: 1_000 });
    // What is stored needs no sidecar, and neither does what is known of environments.
    expect((await collect(client.evaluatePolicy(fake({ requestId: "before" })))).episodes).toHaveLength(5);
    expect((await client.listEnvironments(rollout.ListEnvironmentsRequest.create())).environments).toHaveLength(1);
    const waiting = collect(client.evaluatePolicy(fake({ requestId: "r", seeds: [8n] })));
    endsWithTest(await startFakeSidecar({}, address));
    expect((await waiting).episodes).toEqual([fakeEpisode(8n)]);
  });

  test("that never come end a call that has no deadline after the service's own patience", async () => {
    const { client } = await start([], {
      PROMPTPO_SIDECAR_TARGETS: "127.0.0.1:1",
      PROMPTPO_SIDECAR_WAIT_MS: "200",
      PROMPTPO_SIDECAR_START_MS: "100",
    });
    const error = await failureOf(collect(client.evaluatePolicy(fake())));
    expect(error.reason).toBe("NO_SIDECAR");
    expect(error.message).toContain("none of 1 sidecars serves");
  });
});

describe("the queue", () => {
  const tokens = { ada: "a".repeat(20), bob: "b".repeat(20) };

  test("is bounded, and says when to come again", async () => {
    const door = gate();
    const { client } = await start([{ before: (_seed, _request, signal) => door.pass(signal), horizon: 1_000 }], {
      PROMPTPO_TENANT_QUEUE_EPISODES: "10",
    });
    const first = collect(client.evaluatePolicy(fake({ seeds: seeds(10) })));
    await door.reached;
    const error = await failureOf(collect(client.evaluatePolicy(fake({ seeds: seeds(20).slice(10) }))));
    expect(error).toMatchObject({ reason: "QUEUE_FULL", retryAfterMs: 2_000 });
    door.open();
    await first;
  });

  test("is shared fairly: a small tenant is done long before a large one", async () => {
    const door = gate();
    const { as, sidecars, service } = await start(
      [{ before: (_seed, _request, signal) => door.pass(signal), horizon: 1_000 }],
      { PROMPTPO_TOKENS: JSON.stringify(tokens) },
    );
    const large = collect(as(tokens.ada).evaluatePolicy(fake({ seeds: seeds(40) })));
    await door.reached;
    const small = collect(as(tokens.bob).evaluatePolicy(fake({ seeds: [1_000n, 1_001n, 1_002n] })));
    await waitingEpisodes(service.metrics, 36 + 3);
    door.open();
    await Promise.all([large, small]);
    const order = sidecars[0]?.answered ?? [];
    expect(order.indexOf(1_002n)).toBeLessThan(10);
    expect(order).toHaveLength(43);
  });

  test("keeps tenants apart: the same request_id is two evaluations", async () => {
    const { as } = await start([{}], { PROMPTPO_TOKENS: JSON.stringify(tokens) });
    const ada = await collect(as(tokens.ada).evaluatePolicy(fake({ requestId: "r", seeds: [1n] })));
    const bob = await collect(as(tokens.bob).evaluatePolicy(fake({ requestId: "r", seeds: [2n] })));
    expect([ada.episodes[0]?.seed, bob.episodes[0]?.seed]).toEqual([1n, 2n]);
  });

  /** The gauge is the only thing to look at from outside; looked at again after each turn of the event loop. */
  async function waitingEpisodes(registry: Parameters<typeof metric>[0], count: number): Promise<void> {
    while ((await metric(registry, "promptpo_rollout_queue_episodes")) !== count) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
});
