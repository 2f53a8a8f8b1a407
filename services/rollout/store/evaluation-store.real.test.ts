import { rollout, types } from "@promptpo/contracts";
import { freshDatabase } from "@promptpo/fleet/testing.ts";
import { openDatabase, silentLogger } from "@promptpo/service-kit";
import { afterEach, expect, test } from "vitest";
import { EvaluationStore } from "./evaluation-store.ts";
import { ExactEpisodeStore } from "./exact-episode-store.ts";
import { ReplicaStore } from "./replica-store.ts";

const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of stack.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function open() {
  const fresh = await freshDatabase();
  const database = await openDatabase({
    url: fresh.url,
    migrations: new URL("./migrations/", import.meta.url),
    log: silentLogger(),
  });
  stack.push(fresh, database);
  return { database, store: new EvaluationStore(database, "replica") };
}

/** Opens it and holds it. */
async function claimed(store: EvaluationStore, more: ReturnType<typeof evaluation> = evaluation()) {
  const { claim, record } = await store.open(key, more);
  if (claim === undefined) throw new Error("another replica holds it");
  return { claim, record };
}

const key = { tenant: "t", requestId: "run/r1/c00/evaluation/0" };
const evaluation = (fingerprintDigest = "f") => ({
  bodySha256: "b",
  environment: "E",
  variant: "v",
  runId: "run",
  episodeCount: 3,
  fingerprintDigest,
});
const episode = (position: number, returnValue = position / 3, fingerprintDigest = "f") => ({
  position,
  fingerprintDigest,
  confined: true,
  result: types.EpisodeResult.fromPartial({ seed: BigInt(position), returnValue }),
});
const summary = rollout.EvaluationSummary.fromPartial({ meanReturn: 1 / 3, stepCount: 2n ** 60n });

test("results come back as they went in: doubles to the last bit, NaN, infinities, 64-bit numbers", async () => {
  const { store } = await open();
  const { claim } = await claimed(store);
  const values = [0.1 + 0.2, Number.MIN_VALUE, -Number.MAX_VALUE];
  await store.addEpisodes(
    claim,
    values.map((value, position) => episode(position, value)),
  );
  expect(await store.finish(claim, { ...summary, meanReturn: Number.NaN })).toBe("SUCCEEDED");
  const record = await store.find(key);
  expect(record?.episodes.map(({ result }) => result.returnValue)).toEqual(values);
  expect(record?.summary).toMatchObject({ meanReturn: Number.NaN, stepCount: 2n ** 60n });
});

test("an episode is stored once, however many write it at once", async () => {
  const { store } = await open();
  const { claim } = await claimed(store);
  await Promise.all(Array.from({ length: 8 }, () => store.addEpisodes(claim, [episode(0), episode(2), episode(1)])));
  expect((await store.find(key))?.episodes.map(({ position }) => position)).toEqual([0, 1, 2]);
  expect(await Promise.all([store.finish(claim, summary), store.finish(claim, summary)])).toEqual([
    "SUCCEEDED",
    "SUCCEEDED",
  ]);
});

test("a cancelled evaluation takes nothing more, and everybody is told", async () => {
  const { store } = await open();
  const told = Promise.withResolvers<unknown>();
  stack.push(await store.onCancelled((cancelled) => told.resolve(cancelled)));
  const { claim } = await claimed(store);
  await store.addEpisodes(claim, [episode(0)]);
  expect(await store.cancel(key)).toBe("CANCELLED");
  expect(await told.promise).toEqual(key);
  expect(await store.addEpisodes(claim, [episode(1), episode(2)])).toBe("CANCELLED");
  expect(await store.finish(claim, summary)).toBe("CANCELLED");
  expect((await store.find(key))?.episodes).toHaveLength(1);
  expect(await store.cancel({ ...key, tenant: "other" })).toBeUndefined();
});

test("an evaluation that lacks episodes does not finish, and one that has finished is not cancelled", async () => {
  const { store } = await open();
  const { claim } = await claimed(store);
  await store.addEpisodes(claim, [episode(0), episode(1)]);
  expect(await store.finish(claim, summary)).toBe("OPEN");
  await store.addEpisodes(claim, [episode(2)]);
  expect(await store.finish(claim, summary)).toBe("SUCCEEDED");
  expect(await store.cancel(key)).toBe("SUCCEEDED");
});

test("opened again under another fingerprint, an unfinished evaluation starts over and a finished one stays", async () => {
  const { store } = await open();
  const first = await claimed(store);
  await store.addEpisodes(first.claim, [episode(0), episode(1)]);
  expect((await claimed(store)).record.episodes).toHaveLength(2);
  const { claim, record } = await claimed(store, evaluation("g"));
  expect(record.episodes).toEqual([]);
  await store.addEpisodes(
    claim,
    [0, 1, 2].map((position) => episode(position, 1, "g")),
  );
  await store.finish(claim, summary);
  const again = await store.open(key, evaluation());
  expect(again.claim).toBeUndefined();
  expect(again.record.episodes).toHaveLength(3);
});

test("two replicas that open an evaluation at once: one holds it, and the other hears of what it stores", async () => {
  const { database, store } = await open();
  const other = new EvaluationStore(database, "other");
  const replicas = new ReplicaStore(database);
  await Promise.all([replicas.extend("replica", 60_000), replicas.extend("other", 60_000)]);
  const opened = await Promise.all([store.open(key, evaluation()), other.open(key, evaluation())]);
  const [claim, ...more] = opened.flatMap((one) => one.claim ?? []);
  expect(more).toEqual([]);
  if (claim === undefined) throw new Error("nobody holds it");
  const [holder, follower] = opened[0].claim === undefined ? [other, store] : [store, other];
  expect((await holder.find(key))?.isHeldElsewhere).toBe(false);
  expect((await follower.find(key))?.isHeldElsewhere).toBe(true);

  let heard = Promise.withResolvers<unknown>();
  stack.push(await follower.onNews((about) => heard.resolve(about)));
  await follower.watch(key);
  await holder.addEpisodes(claim, [episode(1), episode(2)]);
  expect(await heard.promise).toEqual(key);
  expect((await follower.find(key, [0, 2]))?.episodes.map(({ position }) => position)).toEqual([1]);
  heard = Promise.withResolvers();
  await holder.addEpisodes(claim, [episode(0)]);
  await holder.finish(claim, summary);
  expect(await heard.promise).toEqual(key);
});

test("a replica whose lease has lapsed is taken over from, and can store nothing any more", async () => {
  const { database, store } = await open();
  const other = new EvaluationStore(database, "other");
  const replicas = new ReplicaStore(database);
  await replicas.extend("replica", 60_000);
  const { claim } = await claimed(store);
  await store.addEpisodes(claim, [episode(0)]);
  expect((await other.open(key, evaluation())).claim).toBeUndefined();
  await replicas.extend("replica", -1);
  const { claim: taken, record } = await claimed(other);
  expect(record.episodes).toHaveLength(1);
  expect(await store.addEpisodes(claim, [episode(1, 99)])).toBe("TAKEN");
  expect(await store.finish(claim, summary)).toBe("TAKEN");
  await store.release(claim);
  expect(await other.addEpisodes(taken, [episode(1), episode(2)])).toBe("OPEN");
  expect(await other.finish(taken, summary)).toBe("SUCCEEDED");
  expect((await store.find(key))?.episodes.map(({ result }) => result.returnValue)).toEqual([0, 1 / 3, 2 / 3]);
});

test("what a replica lets go of is free at once, and a request of another body is nobody's", async () => {
  const { database, store } = await open();
  const other = new EvaluationStore(database, "other");
  await new ReplicaStore(database).extend("replica", 60_000);
  const { claim } = await claimed(store);
  await store.release(claim);
  expect((await other.open(key, { ...evaluation(), bodySha256: "c" })).claim).toBeUndefined();
  expect((await other.open(key, evaluation())).claim).toBeDefined();
});

test("exact episodes are found by key, and the first one stored stands", async () => {
  const { database } = await open();
  const exact = new ExactEpisodeStore(database);
  const keys = ["a", "b", "c"].map((letter) => letter.repeat(64));
  const [first = "", second = ""] = keys;
  await exact.add(new Map([[first, episode(0).result]]));
  await exact.add(
    new Map([
      [first, episode(9).result],
      [second, episode(1).result],
    ]),
  );
  const found = await exact.find(keys);
  expect([...found.keys()].sort()).toEqual([first, second]);
  expect(found.get(first)).toEqual(episode(0).result);
});
