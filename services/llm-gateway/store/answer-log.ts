/**
 * The answer log in Postgres. One statement a function, each a transaction of its own.
 *
 * Reserving commits asynchronously: a reserved row that is lost was never sent, and the commit of SENT makes it durable
 * with itself. So a call costs two waits for the disk: one before the provider is asked, one before the caller is answered.
 */
import { llm } from "@promptpo/contracts";
import { type Database, FleetError } from "@promptpo/service-kit";
import type { AnswerLog, AnswerRow, CallId, RowState, UsageEntry } from "../core/ports.ts";
import { OWNER_LOCK_CLASS } from "./owner-lock.ts";
import { usageColumns, usageValues } from "./usage-values.ts";

const ENDED_CHANNEL = "llm_gateway_ended";
const CANCEL_CHANNEL = "llm_gateway_cancel";
/** A notification can be lost with its connection, and an owner's death sends none. */
const POLL_MS = 1_000;

export interface PostgresAnswerLog extends AnswerLog, AsyncDisposable {}

export async function openAnswerLog(options: {
  readonly database: Database;
  /** Whose rows are ours: the holder of the lock. */
  readonly owner: number;
  /** Another process asks to stop a call that runs here. */
  readonly onCancel: (id: CallId) => void;
}): Promise<PostgresAnswerLog> {
  const { database, owner } = options;
  const waiters = new Map<string, Set<() => void>>();
  const ended = await database.listen(ENDED_CHANNEL, (payload) => {
    const woken = payload === "" ? [...waiters.values()] : [waiters.get(payload) ?? []];
    for (const set of woken) for (const wake of [...set]) wake();
  });
  const cancelled = await database.listen(CANCEL_CHANNEL, (payload) => {
    const id = callIdOf(payload);
    if (id !== undefined) options.onCancel(id);
  });

  return {
    owner: String(owner),

    async reserve(call) {
      const made = await database.query<{ made: boolean }>(
        `with soft as materialized (select set_config('synchronous_commit', 'off', true))
         insert into completions (tenant, request_id, body_sha256, state, owner, model, place, run_id)
         select $1, $2, $3, 'reserved', $4, $5, $6, $7 from soft
         on conflict do nothing
         returning true as made`,
        [call.tenant, call.requestId, call.bodySha256, owner, call.model, call.place, call.runId],
      );
      if (made.length > 0) return "reserved";
      // Nothing deletes rows, so a conflict means that there is one.
      const row = await find(database, call);
      if (row === undefined) throw new Error("a row of the answer log is there and is not");
      return row;
    },

    async take(id, version) {
      const rows = await database.query(
        `update completions
         set state = 'reserved', owner = $4, version = version + 1, waited = false, update_time = now()
         where tenant = $1 and request_id = $2 and version = $3 and state <> 'stored'
         returning true`,
        [id.tenant, id.requestId, version, owner],
      );
      return rows.length > 0;
    },

    async markUnknown(id, version) {
      await database.query(
        `update completions
         set state = 'unknown', owner = null, version = version + 1, update_time = now()
         where tenant = $1 and request_id = $2 and version = $3 and state = 'sent'`,
        [id.tenant, id.requestId, version],
      );
    },

    async markSent(id) {
      const rows = await database.query(
        `update completions
         set state = 'sent', version = version + 1, send_count = send_count + 1, update_time = now()
         where tenant = $1 and request_id = $2 and owner = $3 and state = 'reserved'
         returning true`,
        [id.tenant, id.requestId, owner],
      );
      if (rows.length === 0) {
        throw new FleetError(
          "REQUEST_IN_PROGRESS",
          "another replica took this call over before it was sent; ask again for its answer",
        );
      }
    },

    async store(id, completion, usage) {
      const rows = await database.query(
        `with stored as (
           update completions
           set state = 'stored', answer = $3, owner = null, error_reason = '', version = version + 1, update_time = now()
           where tenant = $1 and request_id = $2 and state <> 'stored'
           returning waited
         ), charged as (
           insert into usage_entries (${usageColumns}) values (${places(6)}) on conflict (id) do nothing
         )
         select case when waited then pg_notify($4, $5) end from stored`,
        [
          id.tenant,
          id.requestId,
          Buffer.from(llm.Completion.encode(completion).finish()),
          ENDED_CHANNEL,
          payloadOf(id),
          ...usageValues(usage),
        ],
      );
      if (rows.length > 0) return completion;
      return (await find(database, id))?.completion ?? completion;
    },

    async release(id, state, reason, usage) {
      if (usage !== undefined) await insertUsage(database, usage);
      // Only our own row: who took it over meanwhile settles it.
      await database.query(
        `with released as (
           update completions
           set state = $3, owner = null, error_reason = $4, version = version + 1, update_time = now()
           where tenant = $1 and request_id = $2 and owner = $5 and state in ('reserved', 'sent')
           returning waited
         )
         select case when waited then pg_notify($6, $7) end from released`,
        [id.tenant, id.requestId, state, reason, owner, ENDED_CHANNEL, payloadOf(id)],
      );
    },

    find: (id) => find(database, id),

    async changed(id, signal) {
      const payload = payloadOf(id);
      let wake = (): void => undefined;
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const set = waiters.get(payload) ?? new Set();
      waiters.set(payload, set.add(wake));
      const timer = setTimeout(wake, POLL_MS);
      signal.addEventListener("abort", wake);
      try {
        const rows = await database.query(
          `update completions set waited = true
           where tenant = $1 and request_id = $2 and owner is not null and state in ('reserved', 'sent')
           returning true`,
          [id.tenant, id.requestId],
        );
        if (rows.length > 0 && !signal.aborted) await woken;
        signal.throwIfAborted();
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        set.delete(wake);
        if (set.size === 0) waiters.delete(payload);
      }
    },

    async requestCancel(id) {
      await database.query("select pg_notify($1, $2)", [CANCEL_CHANNEL, payloadOf(id)]);
    },

    async [Symbol.asyncDispose]() {
      await ended[Symbol.asyncDispose]();
      await cancelled[Symbol.asyncDispose]();
    },
  };
}

interface Row {
  readonly state: RowState;
  readonly version: number;
  readonly body_sha256: string;
  readonly owner: number | null;
  readonly owner_lives: boolean;
  readonly answer: Buffer | null;
  readonly error_reason: string;
}

async function find(database: Database, id: CallId): Promise<AnswerRow | undefined> {
  const [row] = await database.query<Row>(
    `select state, version, body_sha256, owner, answer, error_reason,
            owner is not null and (
              exists (
                select from pg_locks
                where locktype = 'advisory' and classid = $3 and objid = owner::oid and objsubid = 2 and granted
                  and database = (select oid from pg_database where datname = current_database())
              )
              -- The server took all locks with it when it went: its first seconds say nothing about owners.
              or pg_postmaster_start_time() > now() - interval '5 seconds'
            ) as owner_lives
     from completions where tenant = $1 and request_id = $2`,
    [id.tenant, id.requestId, OWNER_LOCK_CLASS],
  );
  if (row === undefined) return undefined;
  return {
    state: row.state,
    version: row.version,
    bodySha256: row.body_sha256,
    owner: row.owner === null ? undefined : String(row.owner),
    ownerLives: row.owner_lives,
    completion: row.answer === null ? undefined : llm.Completion.decode(row.answer),
    errorReason: row.error_reason,
  };
}

async function insertUsage(database: Database, usage: UsageEntry): Promise<void> {
  await database.query(
    `insert into usage_entries (${usageColumns}) values (${places(1)}) on conflict (id) do nothing`,
    usageValues(usage),
  );
}

function places(first: number): string {
  return usageColumns
    .split(",")
    .map((_, at) => `$${first + at}`)
    .join(", ");
}

function payloadOf({ tenant, requestId }: CallId): string {
  return JSON.stringify([tenant, requestId]);
}

function callIdOf(payload: string): CallId | undefined {
  if (payload === "") return undefined; // A reconnection: a lost request to cancel is sent again by who waits.
  const value: unknown = JSON.parse(payload);
  if (!Array.isArray(value)) return undefined;
  const [tenant, requestId]: unknown[] = value;
  return typeof tenant === "string" && typeof requestId === "string" ? { tenant, requestId } : undefined;
}
