/**
 * What keeps the table `sessions` true to the sidecars: leases seen, placements that go on, sessions that lapsed.
 */
import type { Database } from "@promptpo/service-kit";
import type { KnownSession, SessionUpkeep, SweptSession } from "../adapters/sessions/session-upkeep.ts";
import type { SessionStateName } from "../handlers/session-ports.ts";
import { IS_PLACING } from "./session-sql.ts";

/** What the last reports said is as old as this at most, so that a session is not swept up between two of them. */
const SWEEP_GRACE = "interval '5 seconds'";
/** Sidecars that this replica cannot hear may be heard by another, and that one may be away for a while. */
const UNHEARD_GRACE = "interval '10 minutes'";
/** A repeated close is told from a stranger's for so long. */
const KEEP_CLOSED = "interval '1 hour'";

interface KnownRow {
  readonly id: string;
  readonly tenant: string;
  readonly family: string;
  readonly state: SessionStateName;
  readonly lease_ms: bigint;
}

export class SessionUpkeepStore implements SessionUpkeep {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async seen(leftMs: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, KnownSession>> {
    if (leftMs.size === 0) return new Map();
    const ids = [...leftMs.keys()];
    await this.#database.query(
      `update sessions set
         expire_time = greatest(expire_time, clock_timestamp() + new.left_ms * interval '1 millisecond')
       from unnest($1::text[], $2::float8[]) as new (id, left_ms)
       where sessions.id = new.id and state = 'OPEN'`,
      [ids, [...leftMs.values()]],
    );
    const rows = await this.#database.query<KnownRow>(
      "select id, tenant, family, state, lease_ms from sessions where id = any ($1::text[])",
      [ids],
    );
    return new Map(
      rows.map(({ id, tenant, family, state, lease_ms }) => [
        id,
        { tenant, family, isClosed: state === "CLOSED", leaseMs: Number(lease_ms) },
      ]),
    );
  }

  async placing(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#database.query(
      `update sessions set placing_time = clock_timestamp()
       where id = any ($1::text[]) and placing_time is not null and state <> 'CLOSED'`,
      [ids],
    );
  }

  async sweep(heard: readonly string[]): Promise<SweptSession[]> {
    const lapsed = await this.#database.query<SweptSession>(
      `update sessions set state = 'CLOSED', token = '', placing_time = null
       where state = 'OPEN' and not ${IS_PLACING}
         and expire_time < clock_timestamp() - ${SWEEP_GRACE}
         and (expire_time < clock_timestamp() - ${UNHEARD_GRACE}
           or not exists (
             select from session_shards where session_id = id and sidecar <> all ($1::text[])
           ))
       returning id, tenant, family`,
      [heard],
    );
    // Their replica died before they came to be.
    await this.#database.query(
      `update sessions set state = 'CLOSED', token = '', placing_time = null
       where state = 'OPENING' and not ${IS_PLACING}`,
    );
    await this.#database.query(
      `delete from sessions where state = 'CLOSED' and expire_time < clock_timestamp() - ${KEEP_CLOSED}`,
    );
    return lapsed;
  }

  async endAllOn(targets: readonly string[]): Promise<void> {
    if (targets.length === 0) return;
    await this.#database.query(
      `update sessions set state = 'CLOSED', token = '', placing_time = null,
         expire_time = least(expire_time, clock_timestamp())
       where state <> 'CLOSED' and not exists (
         select from session_shards where session_id = id and sidecar <> all ($1::text[])
       )`,
      [targets],
    );
  }
}
