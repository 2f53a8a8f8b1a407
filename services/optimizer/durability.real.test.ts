// What a run survives: SIGKILL of its optimizer, of one of two, of the database; a gateway that is away; a lost queue.
// Each ends in the log that an undisturbed run has, and nothing was paid twice.
import { optimizer } from "@promptpo/contracts";
import { freshDatabase, privatePostgres } from "@promptpo/fleet/testing.ts";
import pg from "pg";
import { beforeAll, describe, expect, it } from "vitest";
import { logDigest } from "./core/canonical.ts";
import { World } from "./core/testing/world.ts";
import {
  createRun,
  follow,
  getRun,
  type OptimizerClient,
  type OptimizerProcess,
  spawnOptimizer,
  startOptimizer,
} from "./testing/optimizer-fixture.ts";
import { gate, type ScriptedPeers, startScriptedPeers } from "./testing/scripted-peers.ts";

const world = new World({ seed: 2, raises: 0.3, noBlock: 0.1, brokenFeedback: 0.4 });
const { RUN_STATE_SUCCEEDED } = optimizer.RunState;
let undisturbed = "";

beforeAll(async () => {
  await using database = await freshDatabase();
  await using peers = await startScriptedPeers({ world });
  await using service = await startOptimizer(database.url, peers);
  const { run } = await createRun(service.client);
  const events = await follow(service.client, run?.id ?? "");
  const ended = await getRun(service.client, run?.id ?? "");
  expect(ended.state).toBe(RUN_STATE_SUCCEEDED);
  undisturbed = ended.digest;
  expect(logDigest(ended.id, events)).toBe(undisturbed);
});

/** The run ended as the undisturbed one, and each of its answers was paid once. */
async function expectUndisturbed(client: OptimizerClient, peers: ScriptedPeers, runId: string): Promise<void> {
  await follow(client, runId);
  expect(await getRun(client, runId)).toMatchObject({ state: RUN_STATE_SUCCEEDED, digest: undisturbed, cause: "" });
  const own = [...peers.asked.paid].filter(([requestId]) => requestId.startsWith(`${runId}/`));
  expect(own.length).toBeGreaterThan(9);
  expect(own.filter(([, count]) => count !== 1)).toEqual([]);
}

/** Calls to these places are held until they are let go, which happens once. */
function holdAt(...places: string[]) {
  const gates = new Map(places.map((place) => [place, gate()]));
  return {
    hold: (place: string) => gates.get(place)?.opened,
    open: (place: string) => gates.get(place)?.open(),
  };
}

describe("kill -9 of the optimizer, twice in a run", () => {
  it("ends in the same log, each answer paid once", async () => {
    const places = ["r1/c01/policy/0", "r2/c00/evaluation/0"];
    const held = holdAt(...places);
    await using database = await freshDatabase();
    await using peers = await startScriptedPeers({ world, hold: held.hold });
    let process: OptimizerProcess = await spawnOptimizer(database.url, peers);
    const { run } = await createRun(process.client, {}, { requestId: "killed" });
    const runId = run?.id ?? "";
    for (const place of places) {
      await peers.untilAsked(`${runId}/${place}`);
      await process.kill();
      held.open(place);
      process = await spawnOptimizer(database.url, peers);
    }
    await using last = process;
    await expectUndisturbed(last.client, peers, runId);
    // A client that tries again after the crash finds its run.
    expect((await createRun(last.client, {}, { requestId: "killed" })).run?.id).toBe(runId);
  });
});

describe("two optimizers on one database, one of them killed", () => {
  it("share the runs, and the other one finishes them", async () => {
    const held = gate();
    await using database = await freshDatabase();
    await using peers = await startScriptedPeers({
      world,
      hold: (place) => (place.startsWith("r2/") ? held.opened : undefined),
    });
    const first = await spawnOptimizer(database.url, peers, { PROMPTPO_MODEL_CALLS: "4" });
    await using second = await startOptimizer(database.url, peers, { PROMPTPO_MODEL_CALLS: "4" });
    const runs = await Promise.all([0, 1, 2, 3].map(() => createRun(first.client)));
    const ids = runs.map(({ run }) => run?.id ?? "");
    await Promise.all(ids.map((id) => peers.untilAsked(`${id}/r2/all/reflection/0`)));
    await first.kill();
    held.open();
    for (const id of ids) await expectUndisturbed(second.client, peers, id);
    expect(await second.metrics.metrics()).toMatch(/promptpo_takeovers_total 1/);
  });
});

describe("a database that is killed in the middle of a run", () => {
  it("is waited for, and the run goes on", async () => {
    const held = holdAt("r2/c00/policy/0", "r3/c01/evaluation/0");
    await using postgres = await privatePostgres();
    await postgres.createDatabase("optimizer");
    await using peers = await startScriptedPeers({ world, hold: held.hold });
    await using service = await startOptimizer(postgres.url("optimizer"), peers);
    const { run } = await createRun(service.client);
    const runId = run?.id ?? "";
    for (const place of ["r2/c00/policy/0", "r3/c01/evaluation/0"]) {
      await peers.untilAsked(`${runId}/${place}`);
      if (postgres.pid !== undefined) process.kill(-postgres.pid, "SIGKILL");
      // The answer comes while the database is away: it is kept until it can be written.
      held.open(place);
      await postgres.ready();
    }
    await expectUndisturbed(service.client, peers, runId);
  });
});

describe("a gateway that is away", () => {
  it("makes the run wait and say so; it goes on when the gateway is back", async () => {
    await using database = await freshDatabase();
    await using peers = await startScriptedPeers({ world });
    await peers.stopGateway();
    await using service = await startOptimizer(database.url, peers);
    const { run } = await createRun(service.client);
    const runId = run?.id ?? "";
    for await (const response of service.client.watchRun({ runId, afterSequence: 0n }))
      if (response.run?.cause.startsWith(`waits for the llm-gateway at ${peers.gateway}: GATEWAY_UNAVAILABLE`)) break;
    const { runs } = await service.client.listRuns(optimizer.ListRunsRequest.fromPartial({}));
    expect(runs[0]?.cause).toContain("waits for the llm-gateway");
    await peers.startGateway();
    await expectUndisturbed(service.client, peers, runId);
  });
});

describe("a queue that has lost everything", () => {
  it("is filled again from the log", async () => {
    const held = holdAt("r2/c01/policy/0");
    await using database = await freshDatabase();
    await using peers = await startScriptedPeers({ world, hold: held.hold });
    const first = await spawnOptimizer(database.url, peers);
    const { run } = await createRun(first.client);
    const runId = run?.id ?? "";
    await peers.untilAsked(`${runId}/r2/c01/policy/0`);
    await first.kill();
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query("delete from pgboss.job");
    await client.query("delete from claims");
    await client.end();
    held.open("r2/c01/policy/0");
    await using second = await startOptimizer(database.url, peers);
    await expectUndisturbed(second.client, peers, runId);
  });
});

describe("an optimizer that is asked to stop", () => {
  it("gives back what it works on, and the next one goes on at once", async () => {
    const held = holdAt("r2/c02/policy/0");
    await using database = await freshDatabase();
    await using peers = await startScriptedPeers({ world, hold: held.hold });
    const first = await startOptimizer(database.url, peers);
    const { run } = await createRun(first.client);
    const runId = run?.id ?? "";
    await peers.untilAsked(`${runId}/r2/c02/policy/0`);
    await first.stop();
    held.open("r2/c02/policy/0");
    await using second = await startOptimizer(database.url, peers);
    await expectUndisturbed(second.client, peers, runId);
  });
});
