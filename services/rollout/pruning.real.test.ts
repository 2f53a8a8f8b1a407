// Old results are removed in the background, and nothing that is still referred to.
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rollout, type types } from "@promptpo/contracts";
import { freshDatabase } from "@promptpo/fleet/testing.ts";
import { openDatabase, silentLogger } from "@promptpo/service-kit";
import pg from "pg";
import { expect, test } from "vitest";
import { PruneStore } from "./store/prune-store.ts";
import { collect, failureOf } from "./testing/rollout-under-test.ts";
import { endsWithTest, fake, start } from "./testing/with-fakes.ts";

const HUNDRED_DAYS_AGO = new Date(Date.now() - 100 * 86_400_000);

async function connect(url: string): Promise<pg.Client> {
  const connection = new pg.Client({ connectionString: url });
  await connection.connect();
  endsWithTest({ [Symbol.asyncDispose]: () => connection.end() });
  return connection;
}

function pathOf(folder: string, artifact: types.ArtifactRef | undefined): string {
  const hash = artifact?.sha256 ?? "none";
  return join(folder, hash.slice(0, 2), hash);
}

test("old evaluations, summaries, cached episodes and artifacts go; the young and what they refer to stay", async () => {
  const { client, database, artifacts, logged } = await start(
    [
      {
        summarize: async () => ({
          summaries: [rollout.TrajectorySummary.fromPartial({ seed: 1n, text: "t" })],
          stepCount: 7n,
        }),
      },
    ],
    { PROMPTPO_PRUNE_MS: "50", PROMPTPO_RESULT_DAYS: "30", PROMPTPO_ARTIFACT_DAYS: "30", PROMPTPO_CACHE_ROWS: "2" },
  );
  const evaluate = async (requestId: string, seed: bigint) => {
    const request = fake({ requestId, seeds: [seed], capture: { all: true } });
    return (await collect(client.evaluatePolicy(request))).episodes[0]?.trajectory;
  };
  const summary = rollout.SummarizeTrajectoriesRequest.fromPartial({
    environment: "Fake-v0",
    feedbackSource: "class Feedback: ...",
    resimulation: { policySource: "class FakePolicy: ...", seeds: [1n] },
    requestId: "old",
  });
  await client.summarizeTrajectories(summary);
  const old = await evaluate("old", 1n);
  const young = await evaluate("young", 2n);
  const unnamed = await evaluate("", 3n);
  for (const artifact of [old, young]) utimesSync(pathOf(artifacts, artifact), HUNDRED_DAYS_AGO, HUNDRED_DAYS_AGO);

  const connection = await connect(database.url);
  await connection.query("update evaluations set update_time = now() - interval '31 days' where request_id = 'old'");
  await connection.query("update summaries set create_time = now() - interval '31 days'");
  await logged((line) => JSON.stringify(line["removed"])?.includes('"artifacts":1') === true);

  const asked = (requestId: string) => client.getEvaluation(rollout.GetEvaluationRequest.create({ requestId }));
  expect((await failureOf(asked("old"))).reason).toBe("UNKNOWN_EVALUATION");
  expect((await asked("young")).episodes).toHaveLength(1);
  // Old itself, but a kept evaluation refers to it; young, and nothing does.
  expect([old, young, unnamed].map((artifact) => existsSync(pathOf(artifacts, artifact)))).toEqual([false, true, true]);
  const { rows } = await connection.query(
    `select (select count(*)::int from summaries) as summaries, (select count(*)::int from exact_episodes) as cached,
            (select count(*)::int from episodes) as episodes`,
  );
  expect(rows).toEqual([{ summaries: 0, cached: 2, episodes: 1 }]);
});

test("an artifact that is asked for again is young again", async () => {
  const { client, artifacts, logged } = await start([{}], { PROMPTPO_PRUNE_MS: "50", PROMPTPO_ARTIFACT_DAYS: "30" });
  const record = async (seed: bigint) => {
    const { episodes } = await collect(client.evaluatePolicy(fake({ seeds: [seed], capture: { all: true } })));
    return episodes[0]?.trajectory;
  };
  const [again, left] = [await record(1n), await record(2n)];
  const part = join(artifacts, again?.sha256.slice(0, 2) ?? "", "interrupted.part");
  writeFileSync(part, "");
  const almostOld = new Date(Date.now() - 30 * 86_400_000 + 500);
  utimesSync(pathOf(artifacts, again), almostOld, almostOld);
  await record(1n);
  utimesSync(part, HUNDRED_DAYS_AGO, HUNDRED_DAYS_AGO);
  utimesSync(pathOf(artifacts, left), HUNDRED_DAYS_AGO, HUNDRED_DAYS_AGO);
  await logged((line) => JSON.stringify(line["removed"])?.includes('"artifacts":1') === true);
  expect([again, left].map((artifact) => existsSync(pathOf(artifacts, artifact)))).toEqual([true, false]);
  expect(readdirSync(artifacts, { recursive: true }).filter((name) => String(name).endsWith(".part"))).toEqual([]);
});

test("one replica prunes at a time, and an evaluation that is worked on is not old", async () => {
  const fresh = endsWithTest(await freshDatabase());
  const migrations = new URL("./store/migrations/", import.meta.url);
  const database = endsWithTest(await openDatabase({ url: fresh.url, migrations, log: silentLogger() }));
  await database.query(
    `insert into evaluations (tenant, request_id, body_sha256, environment, variant, run_id, episode_count, state, holder, update_time)
     select 't', id, 'b', 'E', '', '', 1, 'OPEN', holder, now() - interval '99 days'
     from (values ('held', 'alive'), ('lost', 'dead'), ('free', null)) as new (id, holder)`,
  );
  await database.query("insert into evaluation_replicas values ('alive', now() + interval '1 hour'), ('dead', now())");
  const store = new PruneStore(database);
  const limits = { resultDays: 30, cacheRows: 0 };
  const inside = Promise.withResolvers<void>();
  const leave = Promise.withResolvers<void>();
  const first = store.prune(limits, async () => {
    inside.resolve();
    await leave.promise;
  });
  await inside.promise;
  expect(await store.prune(limits, async () => "never")).toBeUndefined();
  leave.resolve();
  expect((await first)?.rows).toEqual({ evaluations: 2, summaries: 0, cachedEpisodes: 0 });
  expect(await database.query("select request_id from evaluations")).toEqual([{ request_id: "held" }]);
});

test("episodes from before the reference was a column have it after the migration", async () => {
  const { client, database } = await start();
  const request = fake({ requestId: "r", seeds: [1n, 2n], capture: { seeds: [2n] } });
  const { episodes } = await collect(client.evaluatePolicy(request));
  const connection = await connect(database.url);
  await connection.query("update episodes set artifact_sha256 = null");
  const sql = readFileSync(new URL("./store/migrations/0004-pruning.sql", import.meta.url), "utf8");
  const update = /^update episodes[^;]*;/m.exec(sql)?.[0] ?? "";
  await connection.query(update);
  const { rows } = await connection.query("select artifact_sha256 as hash from episodes order by position");
  expect(rows.map(({ hash }) => hash)).toEqual([null, episodes[1]?.trajectory?.sha256]);
});
