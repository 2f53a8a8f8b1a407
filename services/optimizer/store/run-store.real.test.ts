// The store's transactions on a real database: one outcome a place, whoever comes first; two caches on one log.

import { optimizer } from "@promptpo/contracts";
import { freshDatabase, type TestDatabase } from "@promptpo/fleet/testing.ts";
import { type Database, openDatabase, silentLogger } from "@promptpo/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fold } from "../core/apply.ts";
import { logDigest } from "../core/canonical.ts";
import { decide } from "../core/survey.ts";
import { created, MemoryRun, World } from "../core/testing/world.ts";
import { CommandQueue, type Job } from "./command-queue.ts";
import { RunStore } from "./run-store.ts";

const stack = new AsyncDisposableStack();
const log = silentLogger();
let database: Database;
let queue: CommandQueue;

beforeAll(async () => {
  const fresh: TestDatabase = stack.use(await freshDatabase());
  database = stack.use(
    await openDatabase({ url: fresh.url, migrations: new URL("./migrations/", import.meta.url), log }),
  );
  queue = await CommandQueue.open(fresh.url, log);
  stack.defer(() => queue.close());
});
afterAll(() => stack.disposeAsync());

const newRun = (id: string, requestId = "") => ({
  id,
  tenant: "default",
  requestId,
  requestSha256: "x",
  displayName: "",
  environment: "Toy-v0",
  model: "m",
});
const take = (name: "model" | "rollout", count: number) =>
  database.transaction((tx) => queue.take(tx, name, count, 1n));
const depth = async () => (await queue.depths(database)).reduce((sum, { count }) => sum + count, 0);

describe("a run in the database", () => {
  it("takes one outcome a place: the second one is dropped, and both jobs are settled", async () => {
    const world = new World({ seed: 1 });
    const store = new RunStore(database, queue);
    await store.create(newRun("run-once"), created({ candidates: 2 }));
    expect(await store.create(newRun("run-once"), created())).toBeUndefined();
    const jobs = await take("model", 10);
    expect(jobs.map(({ place }) => place).sort()).toEqual(["r0/all/feedback/0", "r1/c00/policy/0", "r1/c01/policy/0"]);
    expect(await take("model", 10)).toEqual([]);
    const job = jobs.find(({ place }) => place === "r1/c00/policy/0");
    if (job === undefined) throw new Error("no job");
    const outcome = { $case: "modelAnswered", value: world.answer(job.place) } as const;
    const both = await Promise.all([store.commit(job, outcome), new RunStore(database, queue).commit(job, outcome)]);
    expect(both.filter((advanced) => advanced !== undefined)).toHaveLength(1);
    const loaded = await store.load("run-once");
    expect(loaded?.events.map(({ place }) => place)).toEqual(["r0/all/created/0", "r1/c00/policy/0"]);
    await store.steer("run-once", optimizer.RunControlled.fromPartial({ action: 1 }));
    for (const other of jobs) await store.discard(other);
    for (const other of await take("rollout", 10)) await store.discard(other);
    expect(await depth()).toBe(0);
    expect(await database.query("select * from claims")).toEqual([]);
  });

  it("is the same for two stores that take turns, as in memory, and when it is read anew", async () => {
    const world = new World({ seed: 9, raises: 0.3, brokenFeedback: 0.5 });
    const stores = [new RunStore(database, queue), new RunStore(database, queue)];
    await stores[0]?.create(newRun("run-turns"), created());
    let turn = 0;
    for (;;) {
      const jobs: Job[] = [...(await take("model", 3)), ...(await take("rollout", 2))];
      if (jobs.length === 0) break;
      await Promise.all(
        jobs.map(async (job) => {
          const store = stores[turn++ % 2];
          const run = await store?.load(job.runId);
          const command = run === undefined ? undefined : decide(run.state).find(({ place }) => place === job.place);
          if (command === undefined) throw new Error(`${job.place} is not wanted`);
          await store?.commit(job, world.outcome(command));
        }),
      );
    }
    const memory = new MemoryRun(created(), "run-turns").finish(world);
    const loaded = await new RunStore(database, queue).load("run-turns");
    expect(loaded?.digest).toBe(logDigest("run-turns", memory.events));
    expect(loaded?.events.map(({ sequence }) => Number(sequence))).toEqual(memory.events.map((_, at) => at + 1));
    for (const store of stores)
      expect((await store.load("run-turns"))?.state.outcomes).toEqual(fold("run-turns", loaded?.events ?? []).outcomes);
    expect(await depth()).toBe(0);
  });

  it("waits with a cause, which goes when the outcome comes", async () => {
    const store = new RunStore(database, queue);
    await store.create(newRun("run-waits"), created({ candidates: 1, feedbackProgram: false }));
    const [job] = await take("model", 1);
    if (job === undefined) throw new Error("no job");
    expect(await store.waitingSince(job)).toBeUndefined();
    await store.wait(job, "waits for something");
    expect((await store.load("run-waits"))?.facts.waitsFor).toBe("waits for something");
    expect(await store.waitingSince(job)).toBeGreaterThan(0);
    expect(await take("model", 1)).toEqual([]); // Not before its pause is over.
    const value = new World({ seed: 1 }).answer(job.place);
    await store.commit(job, { $case: "modelAnswered", value });
    expect((await store.load("run-waits"))?.facts.waitsFor).toBe("");
  });

  it("gets lost commands back from a sweep, each once", async () => {
    const store = new RunStore(database, queue);
    await store.create(newRun("run-swept"), created({ candidates: 2, feedbackProgram: false }));
    await database.query("delete from pgboss.job where data->>'runId' = 'run-swept'");
    const { signal } = new AbortController();
    await Promise.all([store.sweep(signal), new RunStore(database, queue).sweep(signal)]);
    const jobs = (await take("model", 10)).filter(({ runId }) => runId === "run-swept");
    expect(jobs.map(({ place }) => place).sort()).toEqual(["r1/c00/policy/0", "r1/c01/policy/0"]);
    await store.sweep(signal);
    expect((await take("model", 10)).filter(({ runId }) => runId === "run-swept")).toEqual([]);
  });

  it("finds the run of a request id", async () => {
    const store = new RunStore(database, queue);
    await store.create(newRun("run-asked", "r1"), created());
    expect(await store.ofRequest("default", "r1")).toEqual({ id: "run-asked", requestSha256: "x" });
    expect(await store.ofRequest("other", "r1")).toBeUndefined();
    expect(await store.create(newRun("run-asked2", "r1"), created())).toBeUndefined();
  });
});
