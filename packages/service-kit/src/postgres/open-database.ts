/**
 * A service's own Postgres database: pool, transactions, notifications, migrations.
 *
 * Owns every connection it makes and the translation of broken ones into DATABASE_UNAVAILABLE. It knows no table but
 * the migrations'.
 */
import pg from "pg";
import { FleetError } from "../errors/fleet-error.ts";
import type { Logger } from "../logs/create-logger.ts";
import { abortError } from "../rpc/abort-error.ts";
import { isAborted, pause, untilAborted } from "../rpc/until-aborted.ts";
import type { Database, Queryable } from "./database.ts";
import { databaseFault } from "./database-fault.ts";
import { migrate } from "./migrate.ts";
import { Notifications } from "./notifications.ts";
import { toParameter, valueTypes } from "./value-types.ts";

const POOL_SIZE = 10;
const CONNECT_MS_MOST = 10_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
/** A transaction that hangs in the service holds locks; after this the server ends it. */
const IDLE_IN_TRANSACTION_MS = 60_000;

export interface OpenDatabaseOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** Folder of NNNN-name.sql. */
  readonly migrations: URL;
  readonly log: Logger;
  /** Connections at most, one for notifications aside; default 10. */
  readonly poolSize?: number;
  /** Ends the waiting for a server that does not answer. Without it the waiting has no end. */
  readonly signal?: AbortSignal;
}

export async function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  const { url, log, signal } = options;
  const config: pg.ClientConfig = {
    connectionString: url,
    types: valueTypes,
    connectionTimeoutMillis: CONNECT_MS_MOST,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: "promptpo",
  };
  await applyMigrations(config, options.migrations, log, signal);
  const pool = new pg.Pool({
    ...config,
    max: options.poolSize ?? POOL_SIZE,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
  });
  // An idle connection that breaks is replaced at its next use; without a listener it would end the process.
  pool.on("error", (error) => log.warn({ err: error }, "an idle database connection broke"));
  return new PooledDatabase(pool, new Notifications(config, log));
}

async function applyMigrations(
  config: pg.ClientConfig,
  folder: URL,
  log: Logger,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let wait = FIRST_PAUSE_MS, tries = 1; ; wait = Math.min(LONGEST_PAUSE_MS, wait * 2), tries++) {
    if (isAborted(signal)) throw abortError(signal);
    const client = new pg.Client(config);
    client.on("error", () => undefined);
    try {
      await untilAborted(client.connect(), signal);
      await migrate(queryable(client), folder, log);
      return;
    } catch (thrown) {
      if (isAborted(signal)) throw abortError(signal);
      const error = databaseFault(thrown);
      if (!(error instanceof FleetError) || error.reason !== "DATABASE_UNAVAILABLE") throw withRemedy(error);
      if (tries === 1) log.warn({ err: error.cause }, "the database does not answer yet; waiting for it");
    } finally {
      client.end().catch(() => undefined);
    }
    await pause(wait, signal);
  }
}

/** The two mistakes of a wrong DATABASE_URL in words; its text stays out, it holds a password. */
function withRemedy(error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  if (error.code === "3D000") {
    return new Error(`${error.message}; create it (createdb), or name another in DATABASE_URL`, { cause: error });
  }
  if (error.code === "28P01" || error.code === "28000") {
    return new Error(`${error.message}; check user and password in DATABASE_URL`, { cause: error });
  }
  return error;
}

class PooledDatabase implements Database {
  readonly #pool: pg.Pool;
  readonly #notifications: Notifications;
  #closing: Promise<void> | undefined;

  constructor(pool: pg.Pool, notifications: Notifications) {
    this.#pool = pool;
    this.#notifications = notifications;
  }

  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return queryable(this.#pool).query<Row>(text, values);
  }

  async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw databaseFault(error);
    }
    let broken: Error | undefined;
    const onError = (error: Error): void => {
      broken = error;
    };
    client.on("error", onError);
    const tx = queryable(client);
    try {
      await tx.query("begin");
      const result = await work(tx);
      await tx.query("commit");
      return result;
    } catch (error) {
      // A connection whose state is unknown must not serve anybody else.
      await client.query("rollback").catch((rollback: unknown) => {
        broken ??= rollback instanceof Error ? rollback : new Error("the rollback failed");
      });
      throw error;
    } finally {
      client.off("error", onError);
      client.release(broken);
    }
  }

  async listen(channel: string, onNotify: (payload: string) => void): Promise<AsyncDisposable> {
    try {
      return await this.#notifications.listen(channel, onNotify);
    } catch (error) {
      throw databaseFault(error);
    }
  }

  async healthy(): Promise<boolean> {
    try {
      await this.#pool.query("select 1");
      return true;
    } catch {
      return false;
    }
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#notifications.close();
      await this.#pool.end();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function queryable(source: pg.Pool | pg.ClientBase): Queryable {
  return {
    async query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
      try {
        const result = await (values === undefined ? source.query(text) : source.query(text, values.map(toParameter)));
        // The caller says what its statement returns; nothing here can know.
        return result.rows as Row[];
      } catch (error) {
        throw databaseFault(error);
      }
    },
  };
}
