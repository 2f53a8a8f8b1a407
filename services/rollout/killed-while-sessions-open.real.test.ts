// The service's own process, or its database, is killed while it makes a session.
import { rollout } from "@promptpo/contracts";
import { freshDatabase, privatePostgres, temporaryFolder } from "@promptpo/fleet/testing.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { type FakeBehaviour, startFakeSidecar } from "./testing/fake-sidecar.ts";
import { failureOf, startRollout } from "./testing/rollout-under-test.ts";
import { startProcess } from "./testing/service-process.ts";
import { endsWithTest, leftAlone } from "./testing/with-fakes.ts";

test("kill -9 of the service between two openings, then the same request_id: one session, nothing left of the other", async () => {
  const database = endsWithTest(await freshDatabase());
  let isStuck = true;
  const quick = endsWithTest(await startFakeSidecar());
  const slow = endsWithTest(
    await startFakeSidecar({
      beforeOpen: (_request, signal) => (isStuck ? leftAlone(signal) : Promise.resolve()),
    }),
  );
  const env = {
    DATABASE_URL: database.url,
    PROMPTPO_ARTIFACTS: temporaryFolder("promptpo-artifacts"),
    PROMPTPO_SIDECAR_TARGETS: `${quick.address},${slow.address}`,
    PROMPTPO_SESSION_REPORT_MS: "50",
  };
  const request = rollout.CreateEnvSessionRequest.fromPartial({
    environment: "Fake-v0",
    environmentCount: 2,
    requestId: "train/0",
  });

  const first = await startProcess(env);
  const interrupted = failureOf(first.client.createEnvSession(request));
  await Promise.all([
    quick.sessions.until(({ living }) => living.size === 1),
    slow.sessions.until(({ opened }) => opened.length === 1),
  ]);
  first.child.kill("SIGKILL");
  expect((await interrupted).reason).toBe("ROLLOUT_UNAVAILABLE");
  await first.exited;
  const orphan = quick.sessions.opened[0]?.sessionId ?? "";
  isStuck = false;

  const second = endsWithTest(await startRollout(env));
  // Nobody knows yet that the first one is dead.
  const early = await failureOf(second.client.createEnvSession(request));
  expect(early).toMatchObject({ reason: "REQUEST_IN_PROGRESS", retryAfterMs: 500 });
  const connection = new pg.Client({ connectionString: database.url });
  await connection.connect();
  await connection.query("update sessions set placing_time = placing_time - interval '11 seconds'");
  await connection.end();
  const { session } = await second.client.createEnvSession(request);
  expect(session?.id).not.toBe(orphan);
  await quick.sessions.until(({ closed }) => closed.includes(orphan));
  expect([...quick.sessions.living.keys()]).toEqual([session?.id]);
  expect([...slow.sessions.living.keys()]).toEqual([session?.id]);
});

test("kill -9 of Postgres between reservation and opening costs the caller nothing but time", async () => {
  const postgres = endsWithTest(await privatePostgres());
  await postgres.createDatabase("rollout");
  const beforeOpen: FakeBehaviour["beforeOpen"] = async () => {
    if (postgres.pid !== undefined) process.kill(postgres.pid, "SIGKILL");
  };
  const sidecar = endsWithTest(await startFakeSidecar({ beforeOpen }));
  const service = endsWithTest(
    await startRollout({ DATABASE_URL: postgres.url("rollout"), PROMPTPO_SIDECAR_TARGETS: sidecar.address }),
  );
  const request = rollout.CreateEnvSessionRequest.fromPartial({
    environment: "Fake-v0",
    environmentCount: 2,
    requestId: "train/0",
  });
  const { session } = await service.client.createEnvSession(request);
  expect([...sidecar.sessions.living.keys()]).toEqual([session?.id]);
  expect((await service.client.createEnvSession(request)).session).toEqual(session);
});
