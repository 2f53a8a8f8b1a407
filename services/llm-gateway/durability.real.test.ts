// Gateways as processes of their own, killed and stopped; upstream counts what was asked and so paid.
import { llm } from "@promptpo/contracts";
import { freshDatabase, privatePostgres, type TestDatabase } from "@promptpo/fleet/testing.ts";
import { FleetError } from "@promptpo/service-kit";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { requestFor } from "./testing/calls.ts";
import { type GatewayProcess, spawnGateway, startGateway } from "./testing/gateway-under-test.ts";
import { answer, gate, held, type ScriptedUpstream, scriptedUpstream } from "./testing/scripted-upstream.ts";

let db: TestDatabase;
let upstream: ScriptedUpstream;
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(() => db.drop());
beforeEach(async () => {
  upstream = await scriptedUpstream(answer(({ index }) => `answer ${index}`));
});
afterEach(() => upstream[Symbol.asyncDispose]());

const env = (more: Record<string, string> = {}) => ({ DATABASE_URL: db.url, OPENAI_BASE_URL: upstream.url, ...more });
const hold = llm.OnUnknown.ON_UNKNOWN_HOLD;

async function reasonOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "none",
    (error: FleetError) => error.reason,
  );
}

/** A gateway that is killed while its call of `requestId` is at the provider. */
async function killedInMidCall(requestId: string): Promise<void> {
  await using doomed = await spawnGateway(env());
  upstream.script(held(gate().opened, answer("lost")));
  const lost = reasonOf(doomed.client.complete(requestFor("mid call", { requestId })));
  await upstream.arrived(1);
  await doomed.kill();
  expect(["GATEWAY_UNAVAILABLE", "CANCELLED"]).toContain(await lost);
}

describe("kill -9 in mid call, then the same request id", () => {
  test("is reported as of unknown fate to who holds, and asked once more for who does not", async () => {
    const requestId = "killed-in-mid-call";
    await killedInMidCall(requestId);
    await using next = await spawnGateway(env());
    // A database that has just started gives owners time to come back before it believes that they are gone.
    await expect
      .poll(async () => (await next.client.getCompletion({ requestId })).state, { timeout: 30_000 })
      .toBe(llm.CallState.CALL_STATE_UNKNOWN);
    expect(await reasonOf(next.client.complete(requestFor("mid call", { requestId, onUnknown: hold })))).toBe(
      "CALL_FATE_UNKNOWN",
    );
    expect(upstream.exchanges).toHaveLength(1);
    // Thirty callers at once: still one.
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => next.client.complete(requestFor("mid call", { requestId }))),
    );
    expect(new Set(answers.map(({ completion }) => completion?.text))).toEqual(new Set(["answer 1"]));
    expect(upstream.exchanges).toHaveLength(2);
  });

  test("is taken over by one of two replicas, not by both", async () => {
    const requestId = "taken-over";
    await killedInMidCall(requestId);
    await using one = await startGateway(env());
    await using two = await startGateway(env());
    const answers = await Promise.all(
      [one, two, one, two].map(({ client }) => client.complete(requestFor("mid call", { requestId }))),
    );
    expect(new Set(answers.map(({ completion }) => completion?.text))).toEqual(new Set(["answer 1"]));
    expect(upstream.exchanges).toHaveLength(2);
  });
});

test("kill -9 between reserving and sending: nothing was sent, so it is sent even for who holds", async () => {
  const requestId = "killed-before-sending";
  await using doomed = await spawnGateway(env());
  const admin = new pg.Client({ connectionString: db.url });
  await admin.connect();
  // The row can be reserved, and not be marked as sent while this transaction is open.
  await admin.query(`create function block() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock(77); return new; end $$`);
  await admin.query(`create trigger block before update on completions for each row
    when (new.state = 'sent' and new.request_id = '${requestId}') execute function block()`);
  await admin.query("select pg_advisory_lock(77)");
  const lost = reasonOf(doomed.client.complete(requestFor("not sent", { requestId })));
  await expect
    .poll(async () => {
      const { rowCount } = await admin.query("select from pg_locks where objid = 77 and not granted");
      return rowCount;
    })
    .toBe(1);
  await doomed.kill();
  await lost;
  await admin.query("drop trigger block on completions; select pg_advisory_unlock(77)");
  await admin.end();
  expect(upstream.exchanges).toHaveLength(0);
  await using next = await startGateway(env());
  const { completion } = await next.client.complete(requestFor("not sent", { requestId, onUnknown: hold }));
  expect(completion?.text).toBe("answer 0");
});

test("SIGTERM lets a call finish whose caller has left, and exits 0", async () => {
  const requestId = "finished-while-stopping";
  const { open, opened } = gate();
  upstream.script(held(opened, answer("finished")));
  let stopping: GatewayProcess;
  {
    stopping = await spawnGateway(env({ PROMPTPO_DRAIN_MS: "20000" }));
    const caller = new AbortController();
    const left = reasonOf(stopping.client.complete(requestFor("stopping", { requestId }), { signal: caller.signal }));
    await upstream.arrived(1);
    caller.abort();
    await left;
  }
  const exit = stopping.terminate();
  open();
  expect(await exit).toBe(0);
  await using next = await startGateway(env());
  expect(await next.client.getCompletion({ requestId })).toMatchObject({
    state: llm.CallState.CALL_STATE_STORED,
    completion: { text: "finished" },
  });
});

test("SIGTERM past the grace period leaves the call of unknown fate, not half done", async () => {
  const requestId = "cut-while-stopping";
  upstream.script(held(gate().opened, answer("never")));
  const stopping = await spawnGateway(env({ PROMPTPO_DRAIN_MS: "50" }));
  const left = reasonOf(stopping.client.complete(requestFor("stopping", { requestId })));
  const { gone } = await upstream.arrived(1);
  expect(await stopping.terminate()).toBe(0);
  await left;
  await gone;
  await using next = await startGateway(env());
  expect((await next.client.getCompletion({ requestId })).state).toBe(llm.CallState.CALL_STATE_UNKNOWN);
});

test("Postgres killed in mid call: the owner keeps the call, the other replica waits, the answer is paid once", async () => {
  await using postgres = await privatePostgres();
  const url = postgres.url("postgres");
  const at = { DATABASE_URL: url, OPENAI_BASE_URL: upstream.url };
  await using one = await startGateway(at);
  await using two = await startGateway(at);
  const request = requestFor("database", { requestId: "postgres-killed" });
  const { open, opened } = gate();
  upstream.script(held(opened, answer("paid once")));
  const first = one.client.complete(request);
  await upstream.arrived(1);
  const { pid } = postgres;
  if (pid === undefined) throw new Error("no server");
  process.kill(pid, "SIGKILL");
  // The other replica comes for the call while the owner's lock is gone with the server.
  const second = (async () => {
    for (;;) {
      try {
        return await two.client.complete(request);
      } catch (error) {
        if (FleetError.from(error).reason !== "DATABASE_UNAVAILABLE") throw error;
      }
    }
  })();
  await expect.poll(() => isWaitedFor(url), { timeout: 20_000 }).toBe(true);
  open();
  expect((await first).completion?.text).toBe("paid once");
  expect((await second).completion).toMatchObject({
    text: "paid once",
    source: llm.Completion_Source.SOURCE_ANSWER_LOG,
  });
  expect(upstream.exchanges).toHaveLength(1);
});

async function isWaitedFor(url: string): Promise<boolean> {
  const admin = new pg.Client({ connectionString: url });
  admin.on("error", () => undefined);
  try {
    await admin.connect();
    const { rows } = await admin.query<{ waited: boolean }>("select waited from completions");
    return rows[0]?.waited === true;
  } catch {
    return false; // Not back yet.
  } finally {
    await admin.end().catch(() => undefined);
  }
}
