// The statements on runs, events and waits, one a function. Owns column names; knows nothing of folding or queues.
import { optimizer, timestampToDate } from "@promptpo/contracts";
import type { Queryable } from "@promptpo/service-kit";
import type { NewRun } from "../handlers/ports.ts";

export interface RunRow {
  readonly id: string;
  readonly tenant: string;
  readonly display_name: string;
  readonly state: number;
  readonly started: boolean;
  readonly last_sequence: bigint;
  readonly digest: string;
  readonly request_sha256: string;
}

export interface ListedRow extends RunRow {
  readonly create_time: Date;
  readonly basic: Uint8Array;
  readonly waits_for: string | null;
}

const COLUMNS = "id, tenant, display_name, state, started, last_sequence, digest, request_sha256";
const WAITS_FOR = "(select cause from waits where run_id = runs.id order by place limit 1) as waits_for";

/** False when a run of this id or request id exists. */
export async function insertRun(tx: Queryable, run: NewRun, view: optimizer.Run): Promise<boolean> {
  const rows = await tx.query<{ id: string }>(
    `insert into runs (id, tenant, request_id, request_sha256, display_name, environment, model, state, last_sequence,
       create_time, basic)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     on conflict do nothing returning id`,
    [
      run.id,
      run.tenant,
      run.requestId === "" ? null : run.requestId,
      run.requestSha256,
      run.displayName,
      run.environment,
      run.model,
      view.state,
      view.lastSequence,
      view.createTime === undefined ? new Date(0) : timestampToDate(view.createTime),
      Buffer.from(optimizer.Run.encode(view).finish()),
    ],
  );
  return rows.length === 1;
}

export async function insertEvent(tx: Queryable, runId: string, event: optimizer.Event): Promise<void> {
  await tx.query("insert into events (run_id, sequence, place, create_time, event) values ($1, $2, $3, $4, $5)", [
    runId,
    event.sequence,
    event.place,
    event.createTime === undefined ? new Date(0) : timestampToDate(event.createTime),
    Buffer.from(optimizer.Event.encode(event).finish()),
  ]);
}

export async function selectRun(
  db: Queryable,
  runId: string,
): Promise<(RunRow & { waits_for: string | null }) | undefined> {
  const [row] = await db.query<RunRow & { waits_for: string | null }>(
    `select ${COLUMNS}, ${WAITS_FOR} from runs where id = $1`,
    [runId],
  );
  return row;
}

/** The run's row, locked to the end of the transaction: its writers come one after another. */
export async function lockRun(tx: Queryable, runId: string): Promise<RunRow | undefined> {
  const [row] = await tx.query<RunRow>(`select ${COLUMNS} from runs where id = $1 for update`, [runId]);
  return row;
}

export async function selectRunOfRequest(
  db: Queryable,
  tenant: string,
  requestId: string,
): Promise<RunRow | undefined> {
  const [row] = await db.query<RunRow>(`select ${COLUMNS} from runs where tenant = $1 and request_id = $2`, [
    tenant,
    requestId,
  ]);
  return row;
}

export async function selectEvents(db: Queryable, runId: string, after: number): Promise<optimizer.Event[]> {
  const rows = await db.query<{ event: Uint8Array }>(
    "select event from events where run_id = $1 and sequence > $2 order by sequence",
    [runId, after],
  );
  return rows.map(({ event }) => optimizer.Event.decode(event));
}

/** The projection after new events. `digest` is set when the run has ended. */
export async function updateRun(tx: Queryable, runId: string, view: optimizer.Run, digest: string): Promise<void> {
  await tx.query(
    "update runs set state = $2, last_sequence = $3, end_time = $4, basic = $5, digest = $6 where id = $1",
    [
      runId,
      view.state,
      view.lastSequence,
      view.endTime === undefined ? null : timestampToDate(view.endTime),
      Buffer.from(optimizer.Run.encode(view).finish()),
      digest,
    ],
  );
}

/** Marks runs whose first command was taken up. Their ids, for those that were not marked before. */
export async function markStarted(tx: Queryable, runIds: readonly string[]): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `update runs set started = true, state = case when state = $2 then $3 else state end
     where id = any($1::text[]) and not started returning id`,
    [runIds, optimizer.RunState.RUN_STATE_QUEUED, optimizer.RunState.RUN_STATE_RUNNING],
  );
  return rows.map(({ id }) => id);
}

export interface RunFilter {
  readonly state?: number | undefined;
  readonly environment?: string | undefined;
  readonly model?: string | undefined;
}

export async function selectRuns(
  db: Queryable,
  tenant: string,
  filter: RunFilter,
  descending: boolean,
  after: { readonly createTime: Date; readonly id: string } | undefined,
  limit: number,
): Promise<ListedRow[]> {
  const direction = descending ? "desc" : "asc";
  return db.query<ListedRow>(
    `select ${COLUMNS}, create_time, basic, ${WAITS_FOR} from runs
     where tenant = $1 and ($2::smallint is null or state = $2) and ($3::text is null or environment = $3)
       and ($4::text is null or model = $4)
       and ($5::timestamptz is null or (create_time, id) ${descending ? "<" : ">"} ($5, $6))
     order by create_time ${direction}, id ${direction} limit $7`,
    [
      tenant,
      filter.state ?? null,
      filter.environment ?? null,
      filter.model ?? null,
      after?.createTime ?? null,
      after?.id ?? "",
      limit,
    ],
  );
}

/** Runs that have not ended, oldest first. */
export async function selectActiveRuns(db: Queryable, after: string, limit: number): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    "select id from runs where end_time is null and id > $1 order by id limit $2",
    [after, limit],
  );
  return rows.map(({ id }) => id);
}

export async function countRunsByState(db: Queryable): Promise<Map<number, number>> {
  const rows = await db.query<{ state: number; count: bigint }>("select state, count(*) from runs group by state");
  return new Map(rows.map(({ state, count }) => [state, Number(count)]));
}

/** Says what a command waits for; nothing for a run that has ended. Since when it waits is kept from the first time. */
export async function upsertWait(tx: Queryable, runId: string, place: string, cause: string, now: Date): Promise<void> {
  await tx.query(
    `insert into waits (run_id, place, cause, since)
     select id, $2, $3, $4 from runs where id = $1 and end_time is null
     on conflict (run_id, place) do update set cause = excluded.cause`,
    [runId, place, cause, now],
  );
}

/** Since when a command waits; undefined when it does not. */
export async function selectWait(db: Queryable, runId: string, place: string): Promise<Date | undefined> {
  const [row] = await db.query<{ since: Date }>("select since from waits where run_id = $1 and place = $2", [
    runId,
    place,
  ]);
  return row?.since;
}

/** Forgets the wait of a place; all of a run's when it has ended. True when there was one. */
export async function deleteWaits(tx: Queryable, runId: string, place: string | undefined): Promise<boolean> {
  const rows = await tx.query<{ place: string }>(
    "delete from waits where run_id = $1 and ($2::text is null or place = $2) returning place",
    [runId, place ?? null],
  );
  return rows.length > 0;
}

/** Wakes whoever watches a run, once this transaction is committed. */
export async function notifyRun(tx: Queryable, runId: string, ended: boolean): Promise<void> {
  await tx.query("select pg_notify($1, $2)", [RUN_CHANNEL, ended ? `${runId} ended` : runId]);
}

export const RUN_CHANNEL = "promptpo_runs";
