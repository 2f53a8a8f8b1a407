// This process among the optimizer's replicas: it holds a session advisory lock for as long as it lives, and takes over
// the commands of replicas whose lock is free, which Postgres frees the moment their connection dies.
//
// Owns the connection that holds the lock. A replica that lost its connection but lives may be taken over too: its
// commands are then done twice, which costs once (request ids) and counts once (places).
import { type Database, FleetError, type Logger, type Queryable } from "@promptpo/service-kit";
import pg from "pg";
import type { CommandQueue } from "./command-queue.ts";

/** First key of the lock, so that no other advisory lock of this database meets it. */
const LOCK_CLASS = 727_044;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

export interface ReplicaOptions {
  readonly url: string;
  readonly database: Database;
  readonly queue: CommandQueue;
  readonly log: Logger;
  /** How often to look for dead replicas, in milliseconds. */
  readonly lookMs: number;
  /** Told when commands of a dead replica were given back. */
  onTakeover(jobs: number): void;
}

export class Replica {
  readonly #options: ReplicaOptions;
  readonly #stop = new AbortController();
  #client: pg.Client | undefined;
  #id = 0n;
  #looking: Promise<void> = Promise.resolve();

  private constructor(options: ReplicaOptions) {
    this.#options = options;
  }

  /** Registers this process. The database must answer. */
  static async join(options: ReplicaOptions): Promise<Replica> {
    const replica = new Replica(options);
    await replica.#connect();
    replica.#looking = replica.#lookAround();
    return replica;
  }

  /** Changes when the connection was lost and another replica took over meanwhile. */
  get id(): bigint {
    return this.#id;
  }

  /** Gives back what is still claimed and leaves. May be called twice. */
  async leave(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    await this.#looking.catch(() => undefined);
    const { database, queue, log } = this.#options;
    try {
      await database.transaction((tx) => this.#remove(tx, queue, this.#id));
    } catch (error) {
      log.warn({ err: error }, "leaving without word: another replica takes over what is claimed");
    }
    await this.#client?.end().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#options.url,
      application_name: "promptpo-replica",
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5_000,
    });
    client.on("error", () => this.#lost(client));
    client.on("end", () => this.#lost(client));
    try {
      await client.connect();
      const known = this.#id !== 0n && (await this.#lockAgain(client));
      if (!known) this.#id = await register(client);
      this.#client = client;
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  /** Whether this process still is who it was: nobody has taken it over while it was away. */
  async #lockAgain(client: pg.Client): Promise<boolean> {
    if (!(await tryLock(client, this.#id))) return false;
    const { rowCount } = await client.query("select 1 from replicas where id = $1", [this.#id.toString()]);
    if (rowCount === 1) return true;
    await unlock(client, this.#id);
    return false;
  }

  #lost(client: pg.Client): void {
    if (this.#client === client) this.#client = undefined;
  }

  async #lookAround(): Promise<void> {
    const { signal } = this.#stop;
    for (let wait = FIRST_PAUSE_MS; !signal.aborted; ) {
      try {
        if (this.#client === undefined) await this.#connect();
        if (this.#client !== undefined) await this.#takeOver(this.#client);
        wait = this.#options.lookMs;
      } catch (error) {
        this.#options.log.debug({ err: error }, "cannot look after other replicas now");
        wait = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, wait * 2));
      }
      await pause(wait, signal);
    }
  }

  async #takeOver(client: pg.Client): Promise<void> {
    const { database, queue, log, onTakeover } = this.#options;
    const others = await database.query<{ id: bigint }>("select id from replicas where id <> $1 order by id", [
      this.#id,
    ]);
    for (const { id } of others) {
      if (!(await tryLock(client, id))) continue;
      try {
        const jobs = await database.transaction((tx) => this.#remove(tx, queue, id));
        log.info({ replica: id.toString(), jobs }, "took over from a replica that is gone");
        onTakeover(jobs);
      } finally {
        await unlock(client, id);
      }
    }
  }

  async #remove(tx: Queryable, queue: CommandQueue, id: bigint): Promise<number> {
    await tx.query("delete from replicas where id = $1", [id]);
    return queue.releaseAllOf(tx, id);
  }
}

/** Locks first: a row without its lock would look dead. */
async function register(client: pg.Client): Promise<bigint> {
  const { rows } = await client.query<{ id: string }>("select nextval('replica_ids') as id");
  const id = BigInt(rows[0]?.id ?? 0);
  if (!(await tryLock(client, id))) throw new FleetError("CONFLICT", `replica ${id} is locked already`);
  await client.query("insert into replicas (id) values ($1)", [id.toString()]);
  return id;
}

async function tryLock(client: pg.Client, id: bigint): Promise<boolean> {
  // The second key is an int4: the id's low bits. Ids are few and the sequence is long.
  const { rows } = await client.query<{ locked: boolean }>("select pg_try_advisory_lock($1, $2) as locked", [
    LOCK_CLASS,
    lockKey(id),
  ]);
  return rows[0]?.locked ?? false;
}

async function unlock(client: pg.Client, id: bigint): Promise<void> {
  await client.query("select pg_advisory_unlock($1, $2)", [LOCK_CLASS, lockKey(id)]);
}

function lockKey(id: bigint): number {
  return Number(BigInt.asIntN(32, id));
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
