// What the service learns from its sidecars' reports: metrics, leases, shards that should not live any more.
import { durationFromMs, rollout, timestampToDate } from "@promptpo/contracts";
import pg from "pg";
import { expect, test } from "vitest";
import { startFakeSidecar } from "./testing/fake-sidecar.ts";
import { failureOf, metric, startRollout } from "./testing/rollout-under-test.ts";
import { endsWithTest, start } from "./testing/with-fakes.ts";

const quickly = { PROMPTPO_SESSION_REPORT_MS: "20" };
type Service = Awaited<ReturnType<typeof start>>;

async function create(client: Service["client"], environmentCount: number, leaseMs = 60_000) {
  const { session } = await client.createEnvSession(
    rollout.CreateEnvSessionRequest.fromPartial({
      environment: "Fake-v0",
      environmentCount,
      lease: durationFromMs(leaseMs),
    }),
  );
  if (session === undefined) throw new Error("there is no session");
  return session;
}

/** Resolves when /metrics says so; a report comes every few milliseconds. */
async function shows(service: Service, line: string, value: number | undefined): Promise<void> {
  while ((await metric(service.metrics, line)) !== value) await new Promise((resolve) => setImmediate(resolve));
}

test("sidecars' numbers are in the service's metrics: added up, by family and tenant, and gone with the session", async () => {
  const service = await start([{}, {}], quickly);
  const session = await create(service.client, 3);
  const owner = 'family="fake",tenant="default"';
  await shows(service, `promptpo_rollout_session_environments{${owner}}`, 3);
  await shows(service, `promptpo_rollout_sessions{${owner}}`, 1);
  expect(await metric(service.metrics, `promptpo_rollout_sessions_created_total{${owner}}`)).toBe(1);
  const [first, second] = service.sidecars.map(({ sessions }) => sessions);
  first?.tell(session.id, { stepCount: 40n, episodeCount: 2n, stepSeconds: [0.002, 0.5] });
  second?.tell(session.id, { stepCount: 2n, deathCount: 1n });
  await shows(service, `promptpo_rollout_session_steps_total{${owner}}`, 42);
  first?.tell(session.id, { stepCount: 50n, episodeCount: 2n });
  await shows(service, `promptpo_rollout_session_steps_total{${owner}}`, 52);
  await shows(service, `promptpo_rollout_session_episodes_total{${owner}}`, 2);
  await shows(service, `promptpo_rollout_session_deaths_total{${owner}}`, 1);
  await shows(service, 'promptpo_rollout_session_step_seconds_count{family="fake"}', 2);
  await service.client.closeEnvSession({ id: session.id });
  await shows(service, `promptpo_rollout_sessions{${owner}}`, undefined);
  expect(await metric(service.metrics, `promptpo_rollout_session_steps_total{${owner}}`)).toBe(52);
});

test("the last steps before a close are counted, however rarely sidecars are asked", async () => {
  const service = await start([{}], { PROMPTPO_SESSION_REPORT_MS: "60000" });
  const session = await create(service.client, 1);
  service.sidecars[0]?.sessions.tell(session.id, { stepCount: 9n });
  await service.client.closeEnvSession({ id: session.id });
  const line = 'promptpo_rollout_session_steps_total{family="fake",tenant="default"}';
  // The sidecar was never heard before: what it did until then may have been counted by another service.
  expect(await metric(service.metrics, line)).toBe(0);
  const next = await create(service.client, 1);
  service.sidecars[0]?.sessions.tell(next.id, { stepCount: 7n });
  await service.client.closeEnvSession({ id: next.id });
  expect(await metric(service.metrics, line)).toBe(7);
});

test("processes of sidecars are counted from when they are first heard, also over a restart", async () => {
  const service = await start([{}], quickly);
  const [sidecar] = service.sidecars;
  if (sidecar === undefined) throw new Error("there is no sidecar");
  const resident = `promptpo_rollout_sidecar_resident_bytes{sidecar="${sidecar.address}"}`;
  sidecar.sessions.numbers = { residentBytes: 5n, policyProcessCount: 0n, workerRestartCount: 0n };
  await shows(service, resident, 5);
  sidecar.sessions.numbers = { residentBytes: 7n, policyProcessCount: 10n, workerRestartCount: 1n };
  await shows(service, "promptpo_rollout_policy_processes_total", 10);
  await shows(service, "promptpo_rollout_worker_restarts_total", 1);
  await shows(service, resident, 7);
  await sidecar.stop();
  await shows(service, resident, undefined);
  const next = endsWithTest(await startFakeSidecar({}, sidecar.address));
  next.sessions.numbers = { residentBytes: 6n, policyProcessCount: 3n, workerRestartCount: 0n };
  await shows(service, "promptpo_rollout_policy_processes_total", 13);
});

test("a session whose steps a sidecar reports lives on; its end moves with its lease", async () => {
  const service = await start([{}], quickly);
  const session = await create(service.client, 1);
  service.sidecars[0]?.sessions.tell(session.id, { leaseLeft: durationFromMs(3_600_000) });
  const request = { requestId: "", id: session.id, lease: durationFromMs(1_000) };
  for (;;) {
    const database = await rowOf(service.database.url, session.id);
    if (Number(database.expire_time) - timestampToDate(required(session.expireTime)).getTime() > 3_000_000) break;
  }
  // A renewal says when it ends whatever was reported before.
  const renewed = await service.client.renewEnvSession(request);
  expect(timestampToDate(required(renewed.session?.expireTime)).getTime()).toBeLessThan(Date.now() + 60_000);
});

test("steps on one shard keep the session's other shards alive", async () => {
  const service = await start([{}, {}], quickly);
  const session = await create(service.client, 2);
  const [stepped, idle] = service.sidecars.map(({ sessions }) => sessions);
  idle?.tell(session.id, { leaseLeft: durationFromMs(20_000) });
  for (let step = 1n; idle?.renewed.length === 0; step++) {
    stepped?.tell(session.id, { stepCount: step });
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(idle?.renewed[0]).toMatchObject({ sessionId: session.id, lease: undefined });
  expect(stepped?.renewed).toEqual([]);
});

test("a lease that lapsed is counted, its request_id and room are free, and its id is unknown", async () => {
  const service = await start([{}], { ...quickly, PROMPTPO_SIDECAR_SESSION_ENVIRONMENTS: "3" });
  const session = await create(service.client, 3);
  service.sidecars[0]?.sessions.forget();
  await execute(service.database.url, "update sessions set expire_time = now() - interval '1 minute' where id = $1", [
    session.id,
  ]);
  await shows(service, 'promptpo_rollout_sessions_lapsed_total{family="fake",tenant="default"}', 1);
  const gone = await failureOf(service.client.renewEnvSession({ id: session.id, lease: undefined }));
  expect(gone.reason).toBe("UNKNOWN_SESSION");
  // Closing what has lapsed is no error.
  await service.client.closeEnvSession({ id: session.id });
  expect((await create(service.client, 3)).environmentCount).toBe(3);
});

test("a session that nobody heard of for its whole lease lives while its sidecar says so", async () => {
  const service = await start([{}], { PROMPTPO_SESSION_REPORT_MS: "60000" });
  const session = await create(service.client, 1);
  await execute(service.database.url, "update sessions set expire_time = now() - interval '1 minute' where id = $1", [
    session.id,
  ]);
  const { session: renewed } = await service.client.renewEnvSession({ id: session.id, lease: undefined });
  expect(timestampToDate(required(renewed?.expireTime)).getTime()).toBeGreaterThan(Date.now());
  expect(service.sidecars[0]?.sessions.opened).toHaveLength(1);
});

test("another replica goes on with the sessions of one that was stopped, for their sidecars are not its own", async () => {
  const service = await start([{}], quickly);
  const session = await create(service.client, 1);
  await service.service.stop();
  expect(service.sidecars[0]?.sessions.living.size).toBe(1);
  const next = endsWithTest(
    await startRollout({
      DATABASE_URL: service.database.url,
      PROMPTPO_SIDECAR_TARGETS: service.sidecars[0]?.address ?? "",
    }),
  );
  const { session: renewed } = await next.client.renewEnvSession({ id: session.id, lease: undefined });
  expect(renewed).toMatchObject({ token: session.token, shards: session.shards });
});

test("clients of sessions are told the sidecars' other names, one a target", async () => {
  const sidecar = endsWithTest(await startFakeSidecar());
  const port = sidecar.address.split(":")[1];
  const service = await start([], {
    PROMPTPO_SIDECAR_TARGETS: sidecar.address,
    PROMPTPO_SIDECAR_ADVERTISE: `localhost:${port}`,
  });
  const session = await create(service.client, 1);
  expect(session.shards).toMatchObject([{ target: `localhost:${port}` }]);
  await service.client.closeEnvSession({ id: session.id });
  expect(sidecar.sessions.closed).toEqual([session.id]);
  await expect(
    startRollout({
      DATABASE_URL: service.database.url,
      PROMPTPO_SIDECAR_TARGETS: "127.0.0.1:1,127.0.0.1:2",
      PROMPTPO_SIDECAR_ADVERTISE: "localhost:1",
    }),
  ).rejects.toThrow("PROMPTPO_SIDECAR_ADVERTISE");
});

test("tokens are in no log line", async () => {
  const service = await start([{}], quickly);
  const session = await create(service.client, 2);
  await service.client.renewEnvSession({ id: session.id, lease: undefined });
  await service.client.closeEnvSession({ id: session.id });
  expect(JSON.stringify(service.lines)).not.toContain(session.token);
});

async function rowOf(url: string, id: string): Promise<{ readonly expire_time: Date }> {
  const [row] = await execute(url, "select expire_time from sessions where id = $1", [id]);
  return required(row);
}

async function execute(url: string, text: string, values: unknown[]) {
  const connection = new pg.Client({ connectionString: url });
  await connection.connect();
  try {
    return (await connection.query<{ expire_time: Date }>(text, values)).rows;
  } finally {
    await connection.end();
  }
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("it is missing");
  return value;
}
