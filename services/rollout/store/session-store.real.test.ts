import { rollout } from "@promptpo/contracts";
import { freshDatabase } from "@promptpo/fleet/testing.ts";
import { openDatabase, silentLogger } from "@promptpo/service-kit";
import { afterEach, describe, expect, test } from "vitest";
import type { NewSession } from "../handlers/session-ports.ts";
import { SessionStore } from "./session-store.ts";
import { SessionUpkeepStore } from "./session-upkeep-store.ts";

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
  /** Time passes for one session: its times move into the past. */
  const age = (id: string, seconds: number) =>
    database.query(
      `update sessions set expire_time = expire_time - $2 * interval '1 second',
         placing_time = placing_time - $2 * interval '1 second' where id = $1`,
      [id, seconds],
    );
  return { database, store: new SessionStore(database), upkeep: new SessionUpkeepStore(database), age };
}

const spec = rollout.CreateEnvSessionRequest.fromPartial({
  environment: "E",
  variant: "v",
  environmentCount: 5,
  seeds: [1n, 2n, 3n, 4n, 2n ** 32n - 1n],
  options: { gravity: -9.81, nested: { deep: [1, true, null] } },
});
const session = (id: string, more: Partial<NewSession> = {}): NewSession => ({
  id,
  token: `token of ${id}`,
  tenant: "ada",
  requestId: "",
  bodySha256: "b",
  family: "f",
  spec,
  leaseMs: 60_000,
  ...more,
});
const shards = [
  { sidecar: "one:1", firstIndex: 0, environmentCount: 3 },
  { sidecar: "two:2", firstIndex: 3, environmentCount: 2 },
];
const sockets = new Map([
  [0, "/tmp/a"],
  [1, "/tmp/b"],
]);

async function opened(store: SessionStore, id: string, more: Partial<NewSession> = {}) {
  await store.reserve(session(id, more), () => shards);
  const record = await store.opened(id, sockets);
  if (record === undefined) throw new Error(`${id} was not opened`);
  return record;
}

describe("a session's record", () => {
  test("comes back as it went in, its shards in order", async () => {
    const { store } = await open();
    const reserved = await store.reserve(session("s", { requestId: "r" }), () => shards);
    expect(reserved).toMatchObject({ state: "OPENING", placing: true, expired: false, generation: 0 });
    const record = await store.opened("s", sockets);
    expect(record).toMatchObject({ state: "OPEN", placing: false, token: "token of s", leaseMs: 60_000, spec });
    expect(record?.shards).toEqual([
      { ...shards[0], unixSocket: "/tmp/a" },
      { ...shards[1], unixSocket: "/tmp/b" },
    ]);
    expect(await store.find("ada", "s")).toEqual(record);
    expect(await store.findByRequest({ tenant: "ada", requestId: "r" })).toEqual(record);
    expect(await store.find("bob", "s")).toBeUndefined();
  });

  test("is made once for a request_id, however many make it at once, and once more after its end", async () => {
    const { store } = await open();
    const ids = Array.from({ length: 6 }, (_, at) => `s${at}`);
    const made = await Promise.all(ids.map((id) => store.reserve(session(id, { requestId: "r" }), () => shards)));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    await store.abandon(made[0]?.id ?? "");
    expect((await store.reserve(session("next", { requestId: "r" }), () => shards)).id).toBe("next");
    // The same transaction again, because nobody heard of its end.
    expect((await store.reserve(session("next", { requestId: "r" }), () => shards)).id).toBe("next");
  });

  test("of a session that lapsed, or whose replica died while it placed it, gives its request_id free", async () => {
    const { store, age } = await open();
    await opened(store, "a", { requestId: "r" });
    await age("a", 61);
    expect((await store.reserve(session("b", { requestId: "r" }), () => shards)).id).toBe("b");
    await age("b", 11);
    expect((await store.reserve(session("c", { requestId: "r" }), () => shards)).id).toBe("c");
    expect(await store.opened("b", sockets)).toBeUndefined();
  });

  test("knows nothing of its token once it is closed", async () => {
    const { store, database } = await open();
    await opened(store, "s");
    expect(await store.close("bob", "s")).toBeUndefined();
    expect(await store.close("ada", "s")).toMatchObject({ state: "OPEN" });
    expect(await store.close("ada", "s")).toMatchObject({ state: "CLOSED", token: "" });
    expect(await database.query("select token from sessions")).toEqual([{ token: "" }]);
    expect(await store.renewed("s", 1_000)).toBeUndefined();
  });
});

describe("usage", () => {
  test("counts what lives: of the tenant, and of each sidecar for all tenants", async () => {
    const { store, age } = await open();
    await opened(store, "lives");
    await opened(store, "lapsed");
    await age("lapsed", 61);
    await opened(store, "closed");
    await store.close("ada", "closed");
    await store.reserve(session("opening"), () => shards);
    await store.reserve(session("orphan"), () => shards);
    await age("orphan", 11);
    await opened(store, "other", { tenant: "bob" });
    let seen: unknown;
    await store.reserve(session("next"), (usage) => {
      seen = usage;
      return shards;
    });
    expect(seen).toEqual({
      tenant: 10,
      sidecars: new Map([
        ["one:1", 9],
        ["two:2", 6],
      ]),
    });
  });

  test("is exact under any number of placements at once", async () => {
    const { store } = await open();
    const attempts = Array.from({ length: 20 }, (_, at) =>
      store.reserve(session(`s${at}`), ({ tenant }) => {
        if (tenant + 5 > 40) throw new Error("over the quota");
        return shards;
      }),
    );
    const outcomes = await Promise.allSettled(attempts);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(8);
  });
});

describe("shards placed anew", () => {
  test("move to their new sidecar, for one of those who try", async () => {
    const { store } = await open();
    const record = await opened(store, "s");
    const tries = await Promise.all([
      store.replace(record, [1], () => ["three:3"]),
      store.replace(record, [1], () => ["four:4"]),
    ]);
    const [placed, ...others] = tries.filter((one) => one !== undefined);
    expect(others).toEqual([]);
    if (placed === undefined) throw new Error("nobody placed it");
    expect(placed).toMatchObject({ generation: 1, placing: true });
    expect(placed.shards[0]).toMatchObject({ sidecar: "one:1", unixSocket: "/tmp/a" });
    expect(placed.shards[1]?.unixSocket).toBe("");
    const kept = await store.replaced(placed, new Map([[1, "/tmp/c"]]));
    expect(kept).toMatchObject({ placing: false, shards: [{ unixSocket: "/tmp/a" }, { unixSocket: "/tmp/c" }] });
    // Who looked before knows less than the record.
    expect(await store.replace(record, [0], () => ["five:5"])).toBeUndefined();
    expect(await store.replaced(record, sockets)).toBeUndefined();
  });

  test("may change places, and one that finds no room leaves everything as it was", async () => {
    const { store } = await open();
    const record = await opened(store, "s");
    const refused = store.replace(record, [0], () => {
      throw new Error("no room");
    });
    await expect(refused).rejects.toThrow("no room");
    expect(await store.find("ada", "s")).toEqual(record);
    const swapped = await store.replace(record, [0, 1], () => ["two:2", "one:1"]);
    expect(swapped?.shards.map(({ sidecar }) => sidecar)).toEqual(["two:2", "one:1"]);
  });

  test("are taken over from a replica that died meanwhile", async () => {
    const { store, age } = await open();
    const first = await store.replace(await opened(store, "s"), [0], () => ["three:3"]);
    if (first === undefined) throw new Error("it was not placed");
    expect(await store.replace(first, [0], () => ["four:4"])).toBeUndefined();
    await age("s", 11);
    expect(await store.replace(first, [0], () => ["four:4"])).toMatchObject({ generation: 2 });
    expect(await store.replaced(first, sockets)).toBeUndefined();
  });
});

describe("upkeep", () => {
  test("moves the end of a lease on as sidecars tell it, never back", async () => {
    const { store, upkeep } = await open();
    const before = await opened(store, "s");
    const known = await upkeep.seen(
      new Map([
        ["s", 3_600_000],
        ["stranger", 5],
      ]),
    );
    expect(known).toEqual(new Map([["s", { tenant: "ada", family: "f", isClosed: false, leaseMs: 60_000 }]]));
    const later = await store.find("ada", "s");
    expect(Number(later?.expireTime) - Number(before.expireTime)).toBeGreaterThan(3_500_000);
    await upkeep.seen(new Map([["s", 0]]));
    expect(await store.find("ada", "s")).toEqual(later);
  });

  test("ends what lapsed once, where its sidecars were heard, and much later where nobody hears them", async () => {
    const { store, upkeep, age } = await open();
    for (const id of ["heard", "deaf", "forgotten"]) await opened(store, id);
    await opened(store, "lives");
    for (const id of ["heard", "deaf"]) await age(id, 70);
    await age("forgotten", 700);
    const sweeps = [await upkeep.sweep(["one:1"]), await upkeep.sweep(["one:1", "two:2"]), await upkeep.sweep([])];
    expect(sweeps.map((swept) => swept.map(({ id }) => id).sort())).toEqual([["forgotten"], ["deaf", "heard"], []]);
    expect(await store.find("ada", "lives")).toMatchObject({ state: "OPEN" });
    expect(await store.find("ada", "heard")).toMatchObject({ state: "CLOSED", token: "" });
  });

  test("gives up what a dead replica was opening, keeps what a living one is, and forgets what ended long ago", async () => {
    const { store, upkeep, age } = await open();
    for (const id of ["orphan", "opening"]) await store.reserve(session(id), () => shards);
    await age("orphan", 8);
    await age("opening", 8);
    await upkeep.placing(["opening"]);
    await age("orphan", 8);
    await opened(store, "old");
    await store.close("ada", "old");
    await age("old", 3_700);
    await upkeep.sweep([]);
    expect(await store.find("ada", "orphan")).toMatchObject({ state: "CLOSED" });
    expect(await store.find("ada", "opening")).toMatchObject({ state: "OPENING", placing: true });
    expect(await store.find("ada", "old")).toBeUndefined();
  });

  test("ends with a service those sessions all of whose sidecars end with it", async () => {
    const { store, upkeep } = await open();
    await opened(store, "s");
    await upkeep.endAllOn(["one:1"]);
    expect(await store.find("ada", "s")).toMatchObject({ state: "OPEN" });
    await upkeep.endAllOn(["one:1", "two:2"]);
    expect(await store.find("ada", "s")).toMatchObject({ state: "CLOSED" });
  });
});
