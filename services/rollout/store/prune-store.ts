/**
 * Removes what is old from the tables of results. One replica prunes at a time: the others go on without waiting.
 */
import type { Database, Queryable } from "@promptpo/service-kit";

/** Any fixed number, the same in every version. */
const LOCK = 7_270_441_906n;
/** Rows of one statement: few enough that nobody waits long for a lock on them. */
const BATCH = 5_000;

export interface PruneLimits {
  /** Days that evaluations and summaries are kept after they last changed; 0: for ever. */
  readonly resultDays: number;
  /** Exact episodes that are kept, the newest; 0: all. */
  readonly cacheRows: number;
}

export interface PrunedRows {
  readonly evaluations: number;
  readonly summaries: number;
  readonly cachedEpisodes: number;
}

export class PruneStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Prunes the tables and then does `more`, while no other replica does the same. Undefined: another one does now. */
  prune<T>(
    limits: PruneLimits,
    more: (referredOf: (artifacts: readonly string[]) => Promise<Set<string>>) => Promise<T>,
  ): Promise<{ rows: PrunedRows; more: T } | undefined> {
    return this.#database.transaction(async (tx) => {
      const [lock] = await tx.query<{ taken: boolean }>("select pg_try_advisory_xact_lock($1) as taken", [LOCK]);
      if (lock?.taken !== true) return undefined;
      const rows = await pruneTables(tx, limits);
      return { rows, more: await more((artifacts) => referred(this.#database, artifacts)) };
    });
  }
}

async function pruneTables(tx: Queryable, { resultDays, cacheRows }: PruneLimits): Promise<PrunedRows> {
  await tx.query("delete from evaluation_replicas where lease_time < now() - interval '1 day'");
  const old = resultDays > 0;
  return {
    evaluations: old ? await inBatches((most) => pruneEvaluations(tx, resultDays, most)) : 0,
    summaries: old ? await inBatches((most) => pruneSummaries(tx, resultDays, most)) : 0,
    cachedEpisodes: cacheRows > 0 ? await inBatches((most) => pruneCache(tx, cacheRows, most)) : 0,
  };
}

/** Those that some replica works on are not old, whenever they were begun. Their episodes go with them. */
function pruneEvaluations(tx: Queryable, days: number, most: number): Promise<unknown[]> {
  return tx.query(
    `delete from evaluations where (tenant, request_id) in (
       select tenant, request_id from evaluations
       where update_time < now() - $1 * interval '1 day'
         and not (state = 'OPEN' and exists (select from evaluation_replicas where id = holder and lease_time > now()))
       limit $2 for update skip locked
     ) returning 1`,
    [days, most],
  );
}

function pruneSummaries(tx: Queryable, days: number, most: number): Promise<unknown[]> {
  return tx.query(
    `delete from summaries where (tenant, request_id) in (
       select tenant, request_id from summaries where create_time < now() - $1 * interval '1 day' limit $2
     ) returning 1`,
    [days, most],
  );
}

function pruneCache(tx: Queryable, rows: number, most: number): Promise<unknown[]> {
  return tx.query(
    `delete from exact_episodes where key in (
       select key from exact_episodes order by create_time desc, key desc offset $1 limit $2
     ) returning 1`,
    [rows, most],
  );
}

/** Which of the artifacts a kept evaluation refers to. */
async function referred(database: Queryable, artifacts: readonly string[]): Promise<Set<string>> {
  const rows = await database.query<{ readonly sha256: string }>(
    "select distinct artifact_sha256 as sha256 from episodes where artifact_sha256 = any($1::text[])",
    [artifacts],
  );
  return new Set(rows.map(({ sha256 }) => sha256));
}

async function inBatches(remove: (most: number) => Promise<unknown[]>): Promise<number> {
  for (let count = 0; ; ) {
    const removed = (await remove(BATCH)).length;
    count += removed;
    if (removed < BATCH) return count;
  }
}
