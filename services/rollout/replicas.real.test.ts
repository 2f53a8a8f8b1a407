// Two replicas of the service on one database, each with a fake sidecar of its own, and one request_id at both.
import { rollout, types } from "@promptpo/contracts";
import { freshDatabase, temporaryFolder } from "@promptpo/fleet/testing.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { type FakeBehaviour, fakeEpisode, startFakeSidecar } from "./testing/fake-sidecar.ts";
import { collect, failureOf, startRollout } from "./testing/rollout-under-test.ts";
import { end, startProcess } from "./testing/service-process.ts";
import { endsWithTest, fake, gate, seeds } from "./testing/with-fakes.ts";

async function replicas(behaviours: readonly [FakeBehaviour, FakeBehaviour], more: Record<string, string> = {}) {
  const database = endsWithTest(await freshDatabase());
  const [first, second] = [
    endsWithTest(await startFakeSidecar({ horizon: 1_000, ...behaviours[0] })),
    endsWithTest(await startFakeSidecar({ horizon: 1_000, ...behaviours[1] })),
  ];
  const folder = temporaryFolder("promptpo-artifacts");
  const env = (sidecar: { readonly address: string }) => ({
    DATABASE_URL: database.url,
    PROMPTPO_SIDECAR_TARGETS: sidecar.address,
    PROMPTPO_ARTIFACTS: folder,
    PROMPTPO_RESULT_CACHE: "off",
    ...more,
  });
  return { first, second, firstEnv: env(first), secondEnv: env(second) };
}

/** Reads on in the background; `came` resolves once so many episodes have come. */
function follow(messages: AsyncIterable<rollout.EvaluatePolicyResponse>, count: number) {
  const came = Promise.withResolvers<void>();
  async function* counted() {
    let seen = 0;
    for await (const message of messages) {
      if (message.part?.$case === "episode") seen += 1;
      if (seen === count) came.resolve();
      yield message;
    }
  }
  const whole = collect(counted());
  whole.catch(came.reject);
  came.promise.catch(() => undefined);
  return { came: came.promise, whole };
}

test("a request_id at two replicas at once is simulated once, and both tell the same", async () => {
  const { first, second, firstEnv, secondEnv } = await replicas([{}, {}]);
  const services = [endsWithTest(await startRollout(firstEnv)), endsWithTest(await startRollout(secondEnv))];
  const request = fake({ requestId: "r", seeds: seeds(60) });
  const [one, other] = await Promise.all(services.map(({ client }) => collect(client.evaluatePolicy(request))));
  expect(one?.episodes).toEqual(seeds(60).map(fakeEpisode));
  expect(other).toEqual(one);
  // One of them had it all.
  expect([first.answered, second.answered].toSorted((a, b) => a.length - b.length)).toEqual([[], seeds(60)]);
});

test("many evaluations at two replicas at once: each episode is simulated once, wherever that is", async () => {
  const { first, second, firstEnv, secondEnv } = await replicas([{}, {}]);
  const services = [endsWithTest(await startRollout(firstEnv)), endsWithTest(await startRollout(secondEnv))];
  const requests = Array.from({ length: 30 }, (_, at) =>
    fake({ requestId: `r${at}`, seeds: seeds(5).map((seed) => 5n * BigInt(at) + seed) }),
  );
  const asked = services.map(({ client }) =>
    Promise.all(requests.map((request) => collect(client.evaluatePolicy(request)))),
  );
  const [one, other] = await Promise.all(asked);
  expect(one?.flatMap(({ episodes }) => episodes)).toEqual(seeds(150).map(fakeEpisode));
  expect(other).toEqual(one);
  const answered = [...first.answered, ...second.answered];
  expect(answered.toSorted((a, b) => Number(a - b))).toEqual(seeds(150));
});

test("a retry at another replica follows the work as it goes on, and hears when it is cancelled", async () => {
  const door = gate();
  const before: FakeBehaviour["before"] = (seed, _request, signal) =>
    seed === 2n ? door.pass(signal) : Promise.resolve();
  const { second, firstEnv, secondEnv } = await replicas([{ before }, {}]);
  const [worker, other] = [endsWithTest(await startRollout(firstEnv)), endsWithTest(await startRollout(secondEnv))];
  const request = fake({ requestId: "r" });
  const working = collect(worker.client.evaluatePolicy(request));
  await door.reached;
  const following = follow(other.client.evaluatePolicy(request), 2);
  await following.came;
  const seen = await other.client.getEvaluation(rollout.GetEvaluationRequest.fromPartial(request));
  expect(seen.state).toBe(rollout.EvaluationState.EVALUATION_STATE_RUNNING);
  const reused = failureOf(collect(other.client.evaluatePolicy({ ...request, runId: "other" })));
  expect((await reused).reason).toBe("REQUEST_ID_REUSED");
  door.open();
  expect(await following.whole).toEqual(await working);
  expect(second.answered).toEqual([]);

  const shut = gate();
  const stuck = await replicas([{ before: (_seed, _request, signal) => shut.pass(signal) }, {}]);
  const busy = endsWithTest(await startRollout(stuck.firstEnv));
  const waiting = endsWithTest(await startRollout(stuck.secondEnv));
  const lost = [failureOf(collect(busy.client.evaluatePolicy(request)))];
  await shut.reached;
  lost.push(failureOf(collect(waiting.client.evaluatePolicy(request))));
  await waiting.client.cancelEvaluation(rollout.CancelEvaluationRequest.fromPartial(request));
  expect((await Promise.all(lost)).map(({ reason }) => reason)).toEqual(["CANCELLED", "CANCELLED"]);
  expect(stuck.second.answered).toEqual([]);
});

test("a replica that has no sidecar follows all the same", async () => {
  const door = gate();
  const { firstEnv } = await replicas([{ before: (_seed, _request, signal) => door.pass(signal) }, {}]);
  const worker = endsWithTest(await startRollout(firstEnv));
  const other = endsWithTest(await startRollout({ ...firstEnv, PROMPTPO_SIDECAR_TARGETS: "127.0.0.1:1" }));
  const request = fake({ requestId: "r" });
  const working = collect(worker.client.evaluatePolicy(request));
  await door.reached;
  const following = collect(other.client.evaluatePolicy(request));
  await other.logged((line) => line["msg"] === "another replica works on the evaluation");
  door.open();
  expect(await following).toEqual(await working);
});

test("kill -9 of the replica that works: the one that follows goes on where it was", async () => {
  const door = gate();
  const before: FakeBehaviour["before"] = (seed, _request, signal) =>
    seed === 2n ? door.pass(signal) : Promise.resolve();
  const { first, second, firstEnv, secondEnv } = await replicas([{ before }, {}], {
    // Long enough for a heartbeat on a busy machine: the other one must not take over before the kill.
    PROMPTPO_EVALUATION_LEASE_MS: "3000",
  });
  const worker = await startProcess(firstEnv);
  const other = await startProcess(secondEnv);
  const request = fake({ requestId: "r" });
  const interrupted = failureOf(collect(worker.client.evaluatePolicy(request)));
  await door.reached;
  const following = follow(other.client.evaluatePolicy(request), 2);
  await following.came;
  expect(second.answered).toEqual([]);
  await end(worker, "SIGKILL");
  expect((await interrupted).reason).toBe("ROLLOUT_UNAVAILABLE");
  expect((await following.whole).episodes).toEqual(seeds(5).map(fakeEpisode));
  expect([first.answered, second.answered]).toEqual([
    [0n, 1n],
    [2n, 3n, 4n],
  ]);
});

test("a replica that drains lets go at once: the one that follows does not wait for its lease", async () => {
  const door = gate();
  const before: FakeBehaviour["before"] = (_seed, _request, signal) => door.pass(signal);
  const { second, firstEnv, secondEnv } = await replicas([{ before }, {}], {
    PROMPTPO_EVALUATION_LEASE_MS: "3600000",
  });
  const [worker, other] = [endsWithTest(await startRollout(firstEnv)), endsWithTest(await startRollout(secondEnv))];
  const request = fake({ requestId: "r", policyLifetime: types.PolicyLifetime.POLICY_LIFETIME_EVALUATION });
  const interrupted = failureOf(collect(worker.client.evaluatePolicy(request)));
  await door.reached;
  const following = follow(other.client.evaluatePolicy(request), 1);
  await other.logged((line) => line["msg"] === "another replica works on the evaluation");
  await worker.stop();
  await interrupted;
  expect((await following.whole).episodes).toEqual(seeds(5).map(fakeEpisode));
  expect(second.answered).toEqual(seeds(5));
});

test("a replica taken for dead stores nothing more, and its callers see what the other one stores", async () => {
  const doors = [gate(), gate()] as const;
  const waits = (at: 0 | 1): FakeBehaviour => ({
    before: (seed, _request, signal) => (seed === 2n ? doors[at].pass(signal) : Promise.resolve()),
  });
  const { first, second, firstEnv, secondEnv } = await replicas([waits(0), waits(1)], {
    PROMPTPO_EVALUATION_LEASE_MS: "3600000",
  });
  const [slow, quick] = [endsWithTest(await startRollout(firstEnv)), endsWithTest(await startRollout(secondEnv))];
  const request = fake({ requestId: "r" });
  const fromSlow = collect(slow.client.evaluatePolicy(request));
  await doors[0].reached;
  // As if its heartbeat had failed for an hour.
  const connection = new pg.Client({ connectionString: firstEnv.DATABASE_URL });
  await connection.connect();
  await connection.query("update evaluation_replicas set lease_time = now() - interval '1 second'");
  await connection.end();
  const fromQuick = collect(quick.client.evaluatePolicy(request));
  await doors[1].reached;
  doors[0].open();
  await slow.logged((line) => line["msg"] === "another replica took the evaluation over");
  doors[1].open();
  expect((await fromQuick).episodes).toEqual(seeds(5).map(fakeEpisode));
  expect(await fromSlow).toEqual(await fromQuick);
  // What the first one had in hand when it was found out is lost, and nothing after it is begun.
  expect(first.answered.slice(0, 3)).toEqual([0n, 1n, 2n]);
  expect(second.answered).toEqual([2n, 3n, 4n]);
});
