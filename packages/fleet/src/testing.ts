// Databases for tests: one embedded server a process (or the one that a whole test run shares), a fresh
// database a test. Nothing is skipped where no database is installed, and nothing is left behind: the
// server dies with the process, and folders of killed runs are removed by the next.
//
//   const database = await freshDatabase();      // { url, name, drop() }, also `await using`
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { FleetLog } from "./log.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./postgres/index.ts";
import { processStart } from "./process-identity.mjs";

/** URL of a server that a whole run shares, any database of it; set by testing-global-setup.ts. */
export const SHARED_SERVER = "PROMPTPO_TEST_POSTGRES";

export interface TestPostgres {
  /** A URL of the server for a database that may not exist yet. */
  url(database: string): string;
  freshDatabase(): Promise<TestDatabase>;
}

export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  /** Also cuts connections that are still open. The end of the run drops it anyway. */
  drop(): Promise<void>;
}

let server: Promise<TestPostgres> | undefined;
let databases = 0;

export function testPostgres(): Promise<TestPostgres> {
  server ??= shared() ?? own();
  return server;
}

export async function freshDatabase(): Promise<TestDatabase> {
  return (await testPostgres()).freshDatabase();
}

/** A supervised server of the caller's own, for tests that kill it; its folder goes when it is stopped. */
export async function privatePostgres(log?: FleetLog): Promise<EmbeddedPostgres> {
  const folder = temporaryFolder("promptpo-postgres");
  const postgres = await startEmbeddedPostgres({ folder, ...(log === undefined ? {} : { log }) });
  onExit(postgres, folder);
  return postgres;
}

/**
 * A folder that is removed when the process ends; those of processes that were killed are removed by
 * the next call.
 */
export function temporaryFolder(prefix: string): string {
  sweep(prefix);
  const start = (processStart(process.pid) ?? "").replace(/[^A-Za-z0-9-]/g, "_");
  const folder = join(tmpdir(), `${prefix}.${process.pid}.${start}.${databases++}`);
  mkdirSync(folder, { mode: 0o700 });
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function own(): Promise<TestPostgres> {
  const postgres = await privatePostgres();
  return serverAt(postgres.url("postgres"));
}

function shared(): Promise<TestPostgres> | undefined {
  const url = process.env[SHARED_SERVER];
  return url === undefined || url === "" ? undefined : Promise.resolve(serverAt(url));
}

function serverAt(adminUrl: string): TestPostgres {
  const url = (database: string) => {
    const at = new URL(adminUrl);
    at.pathname = `/${database}`;
    return at.href;
  };
  return {
    url,
    async freshDatabase() {
      const name = `test_${process.pid}_${databases++}`;
      // A pid comes round again on a shared server that outlives its test processes.
      await admin(adminUrl, `drop database if exists "${name}" with (force)`);
      await admin(adminUrl, `create database "${name}"`);
      const drop = () => admin(adminUrl, `drop database if exists "${name}" with (force)`);
      return { name, url: url(name), drop, [Symbol.asyncDispose]: drop };
    },
  };
}

async function admin(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function onExit(postgres: EmbeddedPostgres, folder: string): void {
  process.once("exit", () => {
    // Immediate shutdown: the data is thrown away, and this handler cannot wait.
    if (postgres.pid !== undefined) {
      try {
        process.kill(-postgres.pid, "SIGKILL");
      } catch {
        // It ended before us.
      }
    }
    rmSync(folder, { recursive: true, force: true });
  });
}

function sweep(prefix: string): void {
  for (const entry of readdirSync(tmpdir())) {
    const [name, pid, start] = entry.split(".");
    if (name !== prefix || pid === undefined || start === undefined) continue;
    const now = processStart(Number(pid));
    if (now === undefined || now.replace(/[^A-Za-z0-9-]/g, "_") !== start) {
      rmSync(join(tmpdir(), entry), { recursive: true, force: true });
    }
  }
}
