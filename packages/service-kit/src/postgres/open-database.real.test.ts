import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { freshDatabase, privatePostgres } from "@promptpo/fleet/testing.ts";
import fc from "fast-check";
import { afterAll, afterEach, expect, test } from "vitest";
import { FleetError } from "../errors/fleet-error.ts";
import { createLogger, silentLogger } from "../logs/create-logger.ts";
import type { Database, Queryable } from "./database.ts";
import { openDatabase } from "./open-database.ts";

const folder = mkdtempSync(join(tmpdir(), "promptpo-migrations-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let folders = 0;
function migrations(files: Readonly<Record<string, string>>): URL {
  const path = join(folder, String(folders++));
  mkdirSync(path);
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(path, name), sql);
  return pathToFileURL(path);
}

const log = silentLogger();
const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of stack.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function fresh(): Promise<string> {
  const database = await freshDatabase();
  stack.push(database);
  return database.url;
}

async function open(
  url: string,
  files: Readonly<Record<string, string>> = { "0001-t.sql": "create table t (n bigint primary key, note text);" },
): Promise<Database> {
  const database = await openDatabase({ url, migrations: migrations(files), log, poolSize: 4 });
  stack.push(database);
  return database;
}

test("values come back as they went in, exact", async () => {
  const db = await open(await fresh());
  const [row] = await db.query<Record<string, unknown>>(
    `select $1::int8 as big, $2::int8[] as bigs, $3::float8 as number, $4::jsonb as document, $5::bytea as bytes,
            $6::timestamptz as moment, $7::numeric as decimal, null::int8 as nothing, '[0:1]={-7,NULL}'::int8[] as bounds`,
    [
      9_007_199_254_740_993n,
      [1n, -9_223_372_036_854_775_808n],
      0.1 + 0.2,
      JSON.stringify({ a: [1, "2"] }),
      Buffer.from([0, 255]),
      new Date(1_700_000_000_123),
      "1.10",
    ],
  );
  expect(row).toEqual({
    big: 9_007_199_254_740_993n,
    bigs: [1n, -9_223_372_036_854_775_808n],
    number: 0.1 + 0.2,
    document: { a: [1, "2"] },
    bytes: Buffer.from([0, 255]),
    moment: new Date(1_700_000_000_123),
    decimal: "1.10",
    nothing: null,
    bounds: [-7n, null],
  });
});

test("every double survives the database", async () => {
  const db = await open(await fresh());
  await fc.assert(
    fc.asyncProperty(fc.array(fc.double(), { maxLength: 50 }), async (numbers) => {
      const [row] = await db.query<{ back: number[] }>("select $1::float8[] as back", [numbers]);
      expect(row?.back).toEqual(numbers);
    }),
    { numRuns: 30 },
  );
});

test("a transaction whose work fails leaves nothing behind and its connection is fit for use", async () => {
  const db = await open(await fresh());
  const failed = db.transaction(async (tx) => {
    await tx.query("insert into t (n) values (1)");
    throw new Error("changed its mind");
  });
  await expect(failed).rejects.toThrow("changed its mind");
  await db.transaction(async (tx) => void (await tx.query("insert into t (n) values (2)")));
  expect(await db.query("select n from t")).toEqual([{ n: 2n }]);
});

test("a unique violation keeps its SQLSTATE for the store", async () => {
  const db = await open(await fresh());
  await db.query("insert into t (n) values (1)");
  await expect(db.query("insert into t (n) values (1)")).rejects.toMatchObject({ code: "23505" });
});

test("two transactions in each other's way: one commits, the other is told to repeat", async () => {
  const db = await open(await fresh());
  await db.query("insert into t (n) values (1), (2)");
  const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
  const lock = (first: bigint, second: bigint, mine: 0 | 1, other: 0 | 1) =>
    db.transaction(async (tx) => {
      await tx.query("select from t where n = $1 for update", [first]);
      both[mine].resolve();
      await both[other].promise;
      await tx.query("select from t where n = $1 for update", [second]);
    });
  const outcomes = await Promise.allSettled([lock(1n, 2n, 0, 1), lock(2n, 1n, 1, 0)]);
  expect(outcomes.map((one) => one.status).sort()).toEqual(["fulfilled", "rejected"]);
  const lost = outcomes.find((one) => one.status === "rejected");
  expect(lost?.reason).toMatchObject({ reason: "CONFLICT", retryable: true });
});

test("replicas that start together apply each migration once", async () => {
  const url = await fresh();
  const files = {
    "0001-a.sql": "create table a (n int);",
    "0002-b.sql": "insert into a values (1); insert into a values (2);",
  };
  const opened = await Promise.all([open(url, files), open(url, files), open(url, files)]);
  expect(await opened[0]?.query("select n from a order by n")).toEqual([{ n: 1 }, { n: 2 }]);
});

test("a migration that fails leaves nothing of itself, those before it stay", async () => {
  const url = await fresh();
  const broken = {
    "0001-a.sql": "create table a (n int);",
    "0002-b.sql": "create table b (n int); select * from nowhere;",
  };
  await expect(open(url, broken)).rejects.toMatchObject({ code: "42P01" });
  const db = await open(url, { ...broken, "0002-b.sql": "create table b (n int);" });
  expect(await db.query("select * from b")).toEqual([]);
});

test("a migration that was changed after it was applied is refused by name", async () => {
  const url = await fresh();
  await open(url, { "0001-a.sql": "create table a (n int);" });
  await expect(open(url, { "0001-a.sql": "create table a (n bigint);" })).rejects.toThrow(
    /0001-a\.sql is not the file/,
  );
});

test("migrations out of order, of one number, or with odd names are refused", async () => {
  const url = await fresh();
  await open(url, { "0002-b.sql": "select 1;" });
  await expect(open(url, { "0001-a.sql": "select 1;", "0002-b.sql": "select 1;" })).rejects.toThrow(/higher number/);
  await expect(open(url, { "0003-a.sql": "", "0003-b.sql": "" })).rejects.toThrow(/number 0003/);
  await expect(open(url, { "init.sql": "" })).rejects.toThrow(/NNNN-words/);
});

test("an older version works on a newer database and says so", async () => {
  const url = await fresh();
  await open(url, { "0001-a.sql": "select 1;", "0002-b.sql": "select 1;" });
  const lines: string[] = [];
  const db = await openDatabase({
    url,
    migrations: migrations({ "0001-a.sql": "select 1;" }),
    log: createLogger("test", "warn", { write: (line) => void lines.push(line) }),
  });
  stack.push(db);
  expect(lines.join()).toContain("0002-b.sql");
});

test("notifications arrive until nobody listens", async () => {
  const db = await open(await fresh());
  const heard: string[] = [];
  let next = Promise.withResolvers<void>();
  const listening = await db.listen("Runs", (payload) => {
    heard.push(payload);
    next.resolve();
  });
  await db.query(`select pg_notify('Runs', 'r-1')`);
  await next.promise;
  await listening[Symbol.asyncDispose]();
  next = Promise.withResolvers<void>();
  await db.query(`select pg_notify('Runs', 'r-2')`);
  await using _again = await db.listen("Runs", (payload) => {
    heard.push(payload);
    next.resolve();
  });
  await db.query(`select pg_notify('Runs', 'r-3')`);
  await next.promise;
  expect(heard).toEqual(["r-1", "r-3"]);
});

test("a database that does not exist or a wrong password is told at once, without the password", async () => {
  const url = new URL(await fresh());
  url.pathname = "/nowhere";
  await expect(open(url.href)).rejects.toThrow(/"nowhere" does not exist; create it/);
});

test("waiting for a server that never comes ends with the signal", async () => {
  const stop = new AbortController();
  const lines: string[] = [];
  const opening = openDatabase({
    url: "postgres://nobody:hidden-password@127.0.0.1:1/x",
    migrations: migrations({}),
    log: createLogger("test", "warn", {
      write(line) {
        lines.push(line);
        stop.abort(new FleetError("SHUTTING_DOWN", "stopping"));
      },
    }),
    signal: stop.signal,
  });
  await expect(opening).rejects.toMatchObject({ reason: "SHUTTING_DOWN" });
  expect(lines).toHaveLength(1);
  expect(lines.join()).not.toContain("hidden-password");
});

test("a server that is killed and comes back: its users are told, and go on", async () => {
  const postgres = await privatePostgres();
  stack.push({ [Symbol.asyncDispose]: () => postgres.stop() });
  const db = await open(postgres.url("postgres"));
  await db.query("insert into t (n) values (1)");
  const again = Promise.withResolvers<void>();
  await db.listen("runs", (payload) => {
    if (payload === "") again.resolve();
  });
  const inside = Promise.withResolvers<void>();
  const broken = db.transaction(async (tx: Queryable) => {
    await tx.query("insert into t (n) values (2)");
    inside.resolve();
    // Its backend lives on without the postmaster until it next waits for something.
    await tx.query("select pg_sleep(600)");
  });
  await inside.promise;
  if (postgres.pid === undefined) throw new Error("the server has no pid");
  process.kill(postgres.pid, "SIGKILL");
  await expect(broken).rejects.toMatchObject({ reason: "DATABASE_UNAVAILABLE", retryable: true });
  // The listener is called once it is heard again, although nobody notified.
  await again.promise;
  expect(await db.healthy()).toBe(true);
  expect(await db.query("select n from t")).toEqual([{ n: 1n }]);
  await db.close();
  await db.close();
});
