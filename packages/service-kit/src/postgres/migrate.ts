/**
 * Forward-only migrations: numbered SQL files, each applied once, in its own transaction, under an advisory lock.
 *
 * Owns the table of what was applied. It refuses a file that changed after it was applied, two files of one number, and
 * a number below the last applied one.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { Logger } from "../logs/create-logger.ts";
import type { Queryable } from "./database.ts";

/** Any fixed number; it must be the same in every version of every service. */
const LOCK = 7_270_441_905n;

const CREATE_TABLE = `create table if not exists schema_migrations (
  name text primary key,
  sha256 text not null,
  apply_time timestamptz not null default now()
)`;

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly sha256: string;
}

/** `connection` must be one connection, not a pool: the lock belongs to it. */
export async function migrate(connection: Queryable, folder: URL, log: Logger): Promise<void> {
  const files = readMigrations(folder);
  await connection.query("select pg_advisory_lock($1)", [LOCK]);
  try {
    await connection.query(CREATE_TABLE);
    const rows = await connection.query<{ name: string; sha256: string }>("select name, sha256 from schema_migrations");
    const applied = new Map(rows.map((row) => [row.name, row.sha256]));
    for (const file of checked(files, applied, log)) {
      await connection.query("begin");
      try {
        await connection.query(file.sql);
        await connection.query("insert into schema_migrations (name, sha256) values ($1, $2)", [
          file.name,
          file.sha256,
        ]);
        await connection.query("commit");
      } catch (error) {
        // The failed statement's own error is the one to tell.
        await connection.query("rollback").catch(() => undefined);
        log.error({ migration: file.name, err: error }, "the migration failed; nothing of it stays");
        throw error;
      }
      log.info({ migration: file.name }, "migration applied");
    }
  } finally {
    // A broken connection has lost its locks already.
    await connection.query("select pg_advisory_unlock($1)", [LOCK]).catch(() => undefined);
  }
}

/** Those to apply, in order. */
function checked(files: readonly Migration[], applied: ReadonlyMap<string, string>, log: Logger): Migration[] {
  const names = new Set(files.map((file) => file.name));
  const unknown = [...applied.keys()].filter((name) => !names.has(name));
  // A newer version has been here; its replicas may run beside this one while a cluster is updated.
  if (unknown.length > 0)
    log.warn({ migrations: unknown }, "the database has migrations that this version does not know");
  const last = [...applied.keys()].sort().at(-1);
  const missing: Migration[] = [];
  for (const file of files) {
    const sha256 = applied.get(file.name);
    if (sha256 === undefined) {
      if (last !== undefined && file.name < last) {
        throw new Error(
          `the migration ${file.name} comes before ${last}, which is applied already; give it a higher number`,
        );
      }
      missing.push(file);
    } else if (sha256 !== file.sha256) {
      throw new Error(
        `the migration ${file.name} is not the file that was applied to this database; restore it and write a new migration for the change`,
      );
    }
  }
  return missing;
}

function readMigrations(folder: URL): Migration[] {
  const base = folder.href.endsWith("/") ? folder : new URL(`${folder.href}/`);
  const names = readdirSync(base).filter((name) => name.endsWith(".sql"));
  const wrong = names.find((name) => !/^\d{4}-[a-z0-9-]+\.sql$/.test(name));
  if (wrong !== undefined) throw new Error(`the migration ${wrong} must be named NNNN-words.sql`);
  names.sort();
  const twice = names.find((name, at) => at > 0 && names[at - 1]?.slice(0, 4) === name.slice(0, 4));
  if (twice !== undefined) throw new Error(`two migrations have the number ${twice.slice(0, 4)}`);
  return names.map((name) => {
    const sql = readFileSync(new URL(name, base), "utf8");
    return { name, sql, sha256: createHash("sha256").update(sql).digest("hex") };
  });
}
