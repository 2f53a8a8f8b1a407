// Sessions through the whole service, on a real database and fake sidecars.
import { durationFromMs, durationToMs, rollout, timestampToDate } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import { describe, expect, test } from "vitest";
import { type FakeBehaviour, startFakeSidecar, vanished } from "./testing/fake-sidecar.ts";
import { failureOf, metric, startRollout } from "./testing/rollout-under-test.ts";
import { endsWithTest, gate, leftAlone, seeds, start } from "./testing/with-fakes.ts";

type CreateFields = Parameters<typeof rollout.CreateEnvSessionRequest.fromPartial>[0];
type Service = Awaited<ReturnType<typeof start>>;

function wanted(more: CreateFields = {}): rollout.CreateEnvSessionRequest {
  return rollout.CreateEnvSessionRequest.fromPartial({ environment: "Fake-v0", environmentCount: 3, ...more });
}

async function create(client: Service["client"], more: CreateFields = {}): Promise<rollout.EnvSession> {
  const { session } = await client.createEnvSession(wanted(more));
  if (session === undefined) throw new Error("there is no session");
  return session;
}

function renew(client: Service["client"], id: string, leaseMs?: number): Promise<rollout.RenewEnvSessionResponse> {
  return client.renewEnvSession({ id, lease: leaseMs === undefined ? undefined : durationFromMs(leaseMs) });
}

describe("CreateEnvSession", () => {
  test("splits environments evenly, hands each sidecar its part, and says where to step", async () => {
    const { client, sidecars } = await start([{}, {}]);
    const session = await create(client, {
      environmentCount: 17,
      seeds: [5n],
      autoresetMode: rollout.AutoresetMode.AUTORESET_MODE_SAME_STEP,
      lease: durationFromMs(90_000),
      options: { max_episode_steps: 7, flag: true },
      variant: "other",
    });
    expect(session).toMatchObject({
      environment: "Fake-v0",
      variant: "other",
      environmentCount: 17,
      autoresetMode: rollout.AutoresetMode.AUTORESET_MODE_SAME_STEP,
      lease: durationFromMs(90_000),
    });
    expect(session.token.length).toBeGreaterThanOrEqual(32);
    const at = (target: string) => sidecars.find(({ address }) => address === target)?.sessions.opened ?? [];
    expect(session.shards.map(({ firstIndex, environmentCount }) => [firstIndex, environmentCount])).toEqual([
      [0, 9],
      [9, 8],
    ]);
    const all = seeds(22).slice(5);
    for (const { target, unixSocket, firstIndex, environmentCount } of session.shards) {
      expect(unixSocket).toBe(`/tmp/fake/${session.id}`);
      expect(at(target)).toMatchObject([
        {
          sessionId: session.id,
          token: session.token,
          environment: "Fake-v0",
          variant: "other",
          environmentCount,
          seeds: all.slice(firstIndex, firstIndex + environmentCount),
          autoresetMode: rollout.AutoresetMode.AUTORESET_MODE_SAME_STEP,
          lease: durationFromMs(90_000),
          options: { max_episode_steps: 7, flag: true },
          cause: "",
        },
      ]);
    }
  });

  test("uses fewer sidecars than serve where there are fewer environments, the least loaded first", async () => {
    const { client } = await start([{}, {}]);
    const first = await create(client, { environmentCount: 1 });
    const second = await create(client, { environmentCount: 1 });
    expect([first.shards.length, second.shards.length]).toEqual([1, 1]);
    expect(first.shards[0]?.target).not.toBe(second.shards[0]?.target);
    const defaults = { autoresetMode: rollout.AutoresetMode.AUTORESET_MODE_NEXT_STEP, variant: "" };
    expect(first).toMatchObject({ ...defaults, lease: durationFromMs(60_000) });
  });

  test("gives the same session for a request_id while it lives, also at once and through another replica", async () => {
    const { client, sidecars, database } = await start([{}]);
    const replica = endsWithTest(
      await startRollout({ DATABASE_URL: database.url, PROMPTPO_SIDECAR_TARGETS: sidecars[0]?.address ?? "" }),
    );
    const asked = { requestId: "train/0" };
    const [one, two] = await Promise.all([create(client, asked), create(client, asked)]);
    expect(two).toEqual(one);
    expect(await create(replica.client, asked)).toEqual(one);
    expect(sidecars[0]?.sessions.opened).toHaveLength(1);
    const other = await failureOf(client.createEnvSession(wanted({ ...asked, environmentCount: 4 })));
    expect(other.reason).toBe("REQUEST_ID_REUSED");
    await client.closeEnvSession({ id: one.id });
    const again = await create(client, asked);
    expect(again.id).not.toBe(one.id);
    expect(again.token).not.toBe(one.token);
  });

  test("refuses what makes no sense, all of it at once, before any sidecar hears of it", async () => {
    const { client, sidecars } = await start([{}], { PROMPTPO_SESSION_LEASE_MOST_MS: "120000" });
    const reasonOf = async (more: CreateFields) => (await failureOf(client.createEnvSession(wanted(more)))).reason;
    expect(await reasonOf({ environment: "fake-v1" })).toBe("UNKNOWN_ENVIRONMENT");
    expect(await reasonOf({ variant: "othr" })).toBe("UNKNOWN_VARIANT");
    expect(await reasonOf({ seeds: [1n, 2n] })).toBe("INVALID_SEEDS");
    expect(await reasonOf({ seeds: [2n ** 32n - 2n] })).toBe("INVALID_SEEDS");
    const error = await failureOf(
      client.createEnvSession(
        wanted({ environmentCount: 0, lease: durationFromMs(121_000), requestId: "two words", environment: "" }),
      ),
    );
    expect(error.reason).toBe("INVALID_ARGUMENT");
    expect(error.violations?.map(({ field }) => field)).toEqual([
      "environment",
      "environment_count",
      "lease",
      "request_id",
    ]);
    expect(sidecars[0]?.sessions.opened).toEqual([]);
  });

  test("passes on what a sidecar says of the request, and leaves nothing open", async () => {
    const beforeOpen: FakeBehaviour["beforeOpen"] = async () => {
      throw new FleetError("INVALID_ARGUMENT", "options.gravty is no argument of Fake-v0", {
        violations: [{ field: "options.gravty", description: "is no argument of Fake-v0" }],
      });
    };
    const { client, sidecars, metrics } = await start([{}, { beforeOpen }]);
    const error = await failureOf(client.createEnvSession(wanted()));
    expect(error).toMatchObject({ reason: "INVALID_ARGUMENT", violations: [{ field: "options.gravty" }] });
    await sidecars[0]?.sessions.until(({ closed }) => closed.length === 1);
    expect(sidecars[0]?.sessions.living.size).toBe(0);
    expect(await metric(metrics, 'promptpo_rollout_session_refusals_total{reason="INVALID_ARGUMENT"}')).toBe(1);
  });

  test("survives a sidecar that vanishes between two openings: another takes its place", async () => {
    let deaths = 0;
    const beforeOpen: FakeBehaviour["beforeOpen"] = async () => {
      if (deaths++ === 0) throw vanished();
    };
    const { client, sidecars } = await start([{}, { beforeOpen }]);
    const session = await create(client);
    // A shard whose opening was broken off may come to be after all; the next look at the sidecar closes it.
    for (const { sessions } of sidecars) {
      await sessions.until(({ living }) => [...living.keys()].every((id) => id === session.id));
    }
    expect(sidecars.flatMap(({ sessions }) => [...sessions.living.keys()])).toHaveLength(session.shards.length);
  });

  test("ends with its caller: what was opened is closed again", async () => {
    const { client, sidecars } = await start([{}, { beforeOpen: (_request, signal) => leftAlone(signal) }]);
    const leave = new AbortController();
    const left = failureOf(client.createEnvSession(wanted(), { signal: leave.signal }));
    await sidecars[0]?.sessions.until(({ living }) => living.size === 1);
    leave.abort();
    expect((await left).reason).toBe("CANCELLED");
    await sidecars[0]?.sessions.until(({ closed }) => closed.length === 1);
    // Its room is free again.
    const { shards } = await create(client, { environmentCount: 1 });
    expect(shards[0]?.target).toBe(sidecars[0]?.address);
  });

  test("ends at its deadline, and with a request_id the next one finds the session", async () => {
    const door = gate();
    const { client } = await start([{ beforeOpen: (_request, signal) => door.pass(signal) }]);
    const late = await failureOf(client.createEnvSession(wanted({ requestId: "r" }), { timeoutMs: 300 }));
    expect(late.reason).toBe("DEADLINE_EXCEEDED");
    door.open();
    const session = await create(client, { requestId: "r" });
    expect(session.shards).toHaveLength(1);
  });

  test("fails when a sidecar takes longer than the service allows", async () => {
    const beforeOpen: FakeBehaviour["beforeOpen"] = (_request, signal) => leftAlone(signal);
    const { client } = await start([{ beforeOpen }], { PROMPTPO_SESSION_OPEN_MS: "100" });
    const error = await failureOf(client.createEnvSession(wanted()));
    expect(error.reason).toBe("SIDECAR_UNAVAILABLE");
    expect(error.message).toContain("did not answer within 100 ms");
  });

  test("waits for a sidecar, and says NO_SIDECAR when none comes in time", async () => {
    const { client } = await start([], {
      PROMPTPO_SIDECAR_TARGETS: "127.0.0.1:1",
      PROMPTPO_SIDECAR_WAIT_MS: "200",
      PROMPTPO_SIDECAR_START_MS: "100",
    });
    expect((await failureOf(client.createEnvSession(wanted()))).reason).toBe("NO_SIDECAR");
  });

  test("in flight is given up when the service stops", async () => {
    const { client, service, sidecars } = await start([{ beforeOpen: (_request, signal) => leftAlone(signal) }]);
    const left = failureOf(client.createEnvSession(wanted({ requestId: "r" })));
    await sidecars[0]?.sessions.until(({ opened }) => opened.length === 1);
    await Promise.all([service.stop(), left]);
    expect(["SHUTTING_DOWN", "ROLLOUT_UNAVAILABLE", "CANCELLED"]).toContain((await left).reason);
    expect(sidecars[0]?.sessions.living.size).toBe(0);
  });
});

describe("quotas", () => {
  const tokens = { ada: "a".repeat(20), bob: "b".repeat(20) };

  test("hold exactly, however many ask at once, for each tenant by itself", async () => {
    const { as } = await start([{}, {}], {
      PROMPTPO_TENANT_SESSION_ENVIRONMENTS: "10",
      PROMPTPO_TOKENS: JSON.stringify(tokens),
    });
    const ada = as(tokens.ada);
    const attempts = await Promise.allSettled(Array.from({ length: 12 }, () => create(ada, { environmentCount: 2 })));
    const made = attempts.flatMap((attempt) => (attempt.status === "fulfilled" ? [attempt.value] : []));
    expect(made).toHaveLength(5);
    const error = await failureOf(ada.createEnvSession(wanted({ environmentCount: 1 })));
    expect(error).toMatchObject({
      reason: "QUOTA_EXHAUSTED",
      retryAfterMs: 5_000,
      metadata: { quota: "10", in_use: "10", asked: "1" },
    });
    expect((await create(as(tokens.bob), { environmentCount: 10 })).environmentCount).toBe(10);
    await ada.closeEnvSession({ id: made[0]?.id ?? "" });
    expect((await create(ada, { environmentCount: 2 })).environmentCount).toBe(2);
    // What can never fit is not worth another try.
    const never = await failureOf(ada.createEnvSession(wanted({ environmentCount: 11 })));
    expect(never.reason).toBe("QUOTA_EXHAUSTED");
    expect(never.retryAfterMs).toBeUndefined();
  });

  test("of sidecars hold for all tenants together, and shards are as even as the room allows", async () => {
    const { client, sidecars } = await start([{}, {}], { PROMPTPO_SIDECAR_SESSION_ENVIRONMENTS: "4" });
    await create(client, { environmentCount: 1 });
    const { shards } = await create(client, { environmentCount: 6 });
    expect(shards.map(({ environmentCount }) => environmentCount)).toEqual([3, 3]);
    const error = await failureOf(client.createEnvSession(wanted({ environmentCount: 2 })));
    expect(error).toMatchObject({ reason: "QUOTA_EXHAUSTED", metadata: { quota: "8", in_use: "7", asked: "2" } });
    const load = sidecars.map(({ sessions }) =>
      [...sessions.living.values()].reduce((sum, { request }) => sum + request.environmentCount, 0),
    );
    expect(load.sort()).toEqual([3, 4]);
  });
});

describe("RenewEnvSession", () => {
  test("extends the lease on every shard, for its own length or for the one asked", async () => {
    const { client, sidecars } = await start([{}, {}]);
    const session = await create(client);
    const longer = await renew(client, session.id, 3_600_000);
    expect(longer.session).toEqual({ ...session, expireTime: longer.session?.expireTime });
    const gained = endOf(longer.session) - endOf(session);
    expect(gained).toBeGreaterThanOrEqual(3_540_000);
    const own = await renew(client, session.id);
    expect(endOf(own.session)).toBeLessThan(endOf(longer.session));
    for (const { sessions } of sidecars) {
      expect(sessions.renewed.map(({ lease }) => lease && durationToMs(lease))).toEqual([3_600_000, 60_000]);
    }
    expect((await failureOf(renew(client, session.id, 10))).reason).toBe("INVALID_ARGUMENT");
  });

  test("places a shard whose sidecar forgot it anew, with the cause, and leaves the others alone", async () => {
    const { client, sidecars, metrics } = await start([{}, {}]);
    const session = await create(client, { environmentCount: 4, seeds: [1n, 2n, 3n, 4n] });
    const second = sidecars.find(({ address }) => address === session.shards[1]?.target);
    second?.sessions.forget();
    const renewed = await renew(client, session.id);
    expect(renewed.session).toEqual({ ...session, expireTime: renewed.session?.expireTime });
    expect(second?.sessions.opened).toMatchObject([
      { seeds: [3n, 4n], cause: "" },
      { seeds: [3n, 4n], token: session.token, cause: "the sidecar that held it no longer has it" },
    ]);
    expect(sidecars.find((each) => each !== second)?.sessions.opened).toHaveLength(1);
    expect(await metric(metrics, 'promptpo_rollout_session_shards_replaced_total{family="fake"}')).toBe(1);
  });

  test("places a shard whose sidecar died on another one, through whichever replica is asked, once", async () => {
    const { client, sidecars, database } = await start([{}, {}, {}]);
    const replica = endsWithTest(
      await startRollout({
        DATABASE_URL: database.url,
        PROMPTPO_SIDECAR_TARGETS: sidecars.map(({ address }) => address).join(","),
      }),
    );
    const session = await create(client, { environmentCount: 2 });
    const targets = session.shards.map(({ target }) => target);
    await sidecars.find(({ address }) => address === targets[0])?.stop();
    const answers = await Promise.allSettled([renew(client, session.id), renew(replica.client, session.id)]);
    for (const answer of answers) {
      if (answer.status === "rejected") expect(answer.reason).toMatchObject({ reason: "REQUEST_IN_PROGRESS" });
    }
    const after = await renew(replica.client, session.id);
    const spare = sidecars.find(({ address }) => !targets.includes(address));
    expect(after.session?.shards.map(({ target }) => target)).toEqual([spare?.address, targets[1]]);
    expect(spare?.sessions.opened).toMatchObject([{ cause: "the sidecar that held it died" }]);
  });

  test("waits for a sidecar where none is left, until its deadline", async () => {
    const { client, sidecars } = await start([{}]);
    const session = await create(client);
    const address = sidecars[0]?.address ?? "";
    await sidecars[0]?.stop();
    const late = await failureOf(client.renewEnvSession({ id: session.id, lease: undefined }, { timeoutMs: 800 }));
    expect(late.reason).toBe("NO_SIDECAR");
    const waiting = renew(client, session.id);
    const next = endsWithTest(await startFakeSidecar({}, address));
    expect((await waiting).session?.shards).toMatchObject([{ target: address, firstIndex: 0, environmentCount: 3 }]);
    expect(next.sessions.opened).toHaveLength(1);
  });

  test("of a stranger's session, a closed one or one that never was is the same refusal", async () => {
    const tokens = { ada: "a".repeat(20), bob: "b".repeat(20) };
    const { as } = await start([{}], { PROMPTPO_TOKENS: JSON.stringify(tokens) });
    const session = await create(as(tokens.ada));
    const errors = [
      await failureOf(renew(as(tokens.bob), session.id)),
      await failureOf(as(tokens.bob).closeEnvSession({ id: session.id })),
      await failureOf(renew(as(tokens.ada), "never")),
    ];
    await as(tokens.ada).closeEnvSession({ id: session.id });
    errors.push(await failureOf(renew(as(tokens.ada), session.id)));
    for (const error of errors) expect(error.reason).toBe("UNKNOWN_SESSION");
  });
});

describe("CloseEnvSession", () => {
  test("frees every shard, and may be repeated", async () => {
    const { client, sidecars } = await start([{}, {}]);
    const session = await create(client);
    await client.closeEnvSession({ id: session.id });
    await client.closeEnvSession({ id: session.id });
    for (const { sessions } of sidecars) expect(sessions.living.size).toBe(0);
    expect((await failureOf(client.closeEnvSession({ id: "never" }))).reason).toBe("UNKNOWN_SESSION");
  });

  test("ends the session at once though a sidecar is away; when it is back its shard is closed", async () => {
    const { client, sidecars } = await start([{}, {}], { PROMPTPO_SESSION_REPORT_MS: "20" });
    const session = await create(client);
    const [first] = sidecars;
    const kept = first?.sessions.living.get(session.id);
    if (first === undefined || kept === undefined) throw new Error("the first sidecar has no shard");
    await first.stop();
    await client.closeEnvSession({ id: session.id });
    expect((await failureOf(renew(client, session.id))).reason).toBe("UNKNOWN_SESSION");
    const back = endsWithTest(await startFakeSidecar({}, first.address));
    back.sessions.living.set(session.id, kept);
    await back.sessions.until(({ closed }) => closed.includes(session.id));
    expect(back.sessions.living.size).toBe(0);
  });
});

function endOf(session: rollout.EnvSession | undefined): number {
  if (session?.expireTime === undefined) throw new Error("the session has no end");
  return timestampToDate(session.expireTime).getTime();
}
