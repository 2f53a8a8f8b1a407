import { rollout, types } from "@promptpo/contracts";
import { freshDatabase } from "@promptpo/fleet/testing.ts";
import { openDatabase, silentLogger } from "@promptpo/service-kit";
import { afterEach, expect, test } from "vitest";
import { EvaluationStore } from "./evaluation-store.ts";
import { ExactEpisodeStore } from "./exact-episode-store.ts";

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
  return { database, store: new EvaluationStore(database) };
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
  await store.open(key, evaluation());
  const values = [0.1 + 0.2, Number.MIN_VALUE, -Number.MAX_VALUE];
  await store.addEpisodes(
    key,
    values.map((value, position) => episode(position, value)),
  );
  expect(await store.finish(key, { ...summary, meanReturn: Number.NaN })).toBe("SUCCEEDED");
  const record = await store.find(key);
  expect(record?.episodes.map(({ result }) => result.returnValue)).toEqual(values);
  expect(record?.summary).toMatchObject({ meanReturn: Number.NaN, stepCount: 2n ** 60n });
});

test("an episode is stored once, however many write it at once", async () => {
  const { store } = await open();
  await store.open(key, evaluation());
  await Promise.all(Array.from({ length: 8 }, () => store.addEpisodes(key, [episode(0), episode(2), episode(1)])));
  expect((await store.find(key))?.episodes.map(({ position }) => position)).toEqual([0, 1, 2]);
  expect(await Promise.all([store.finish(key, summary), store.finish(key, summary)])).toEqual([
    "SUCCEEDED",
    "SUCCEEDED",
  ]);
});

test("a cancelled evaluation takes nothing more, and everybody is told", async () => {
  const { store } = await open();
  const told = Promise.withResolvers<unknown>();
  stack.push(await store.onCancelled((cancelled) => told.resolve(cancelled)));
  await store.open(key, evaluation());
  await store.addEpisodes(key, [episode(0)]);
  expect(await store.cancel(key)).toBe("CANCELLED");
  expect(await told.promise).toEqual(key);
  expect(await store.addEpisodes(key, [episode(1), episode(2)])).toBe("CANCELLED");
  expect(await store.finish(key, summary)).toBe("CANCELLED");
  expect((await store.find(key))?.episodes).toHaveLength(1);
  expect(await store.cancel({ ...key, tenant: "other" })).toBeUndefined();
});

test("an evaluation that lacks episodes does not finish, and one that has finished is not cancelled", async () => {
  const { store } = await open();
  await store.open(key, evaluation());
  await store.addEpisodes(key, [episode(0), episode(1)]);
  expect(await store.finish(key, summary)).toBe("OPEN");
  await store.addEpisodes(key, [episode(2)]);
  expect(await store.finish(key, summary)).toBe("SUCCEEDED");
  expect(await store.cancel(key)).toBe("SUCCEEDED");
});

test("opened again under another fingerprint, an unfinished evaluation starts over and a finished one stays", async () => {
  const { store } = await open();
  await store.open(key, evaluation());
  await store.addEpisodes(key, [episode(0), episode(1)]);
  expect((await store.open(key, evaluation())).episodes).toHaveLength(2);
  expect((await store.open(key, evaluation("g"))).episodes).toEqual([]);
  await store.addEpisodes(
    key,
    [0, 1, 2].map((position) => episode(position, 1, "g")),
  );
  await store.finish(key, summary);
  expect((await store.open(key, evaluation())).episodes).toHaveLength(3);
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
