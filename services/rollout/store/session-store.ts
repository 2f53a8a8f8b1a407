/**
 * Sessions: the tables `sessions` and `session_shards`.
 *
 * Quotas are exact because whatever decides by usage holds one lock for all sessions while it looks and writes: that is a
 * few milliseconds, and sessions are made a few times a minute. Every change can be repeated: a connection that breaks in
 * mid-commit is answered by doing it again.
 */
import { rollout } from "@promptpo/contracts";
import type { Database, Queryable } from "@promptpo/service-kit";
import type { PlacedShard, SessionUsage } from "../core/session-placement.ts";
import type { EvaluationKey } from "../handlers/ports.ts";
import type { NewSession, SessionRecord, SessionRecords, Sockets } from "../handlers/session-ports.ts";
import { readSession } from "./session-rows.ts";
import { IS_LIVE, IS_PLACING, SESSIONS_LOCK } from "./session-sql.ts";

export class SessionStore implements SessionRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async findByRequest({ tenant, requestId }: EvaluationKey): Promise<SessionRecord | undefined> {
    return findLiving(this.#database, tenant, requestId);
  }

  find(tenant: string, id: string): Promise<SessionRecord | undefined> {
    return readSession(this.#database, "id = $1 and tenant = $2", [id, tenant]);
  }

  reserve(session: NewSession, place: (usage: SessionUsage) => readonly PlacedShard[]): Promise<SessionRecord> {
    return this.#database.transaction(async (tx) => {
      await lock(tx);
      // There already: this transaction was committed before, and nobody heard of it.
      const known =
        (await readSession(tx, "id = $1", [session.id])) ?? (await findLiving(tx, session.tenant, session.requestId));
      if (known !== undefined) return known;
      await giveUpName(tx, session.tenant, session.requestId);
      const shards = place(await usageOf(tx, session.tenant));
      await insert(tx, session, shards);
      const made = await readSession(tx, "id = $1", [session.id]);
      if (made === undefined) throw new Error(`session ${session.id} vanished while it was made`);
      return made;
    });
  }

  opened(id: string, sockets: Sockets): Promise<SessionRecord | undefined> {
    return this.#database.transaction(async (tx) => {
      const rows = await tx.query(
        `update sessions set state = 'OPEN', placing_time = null,
           expire_time = clock_timestamp() + lease_ms * interval '1 millisecond'
         where id = $1 and (state = 'OPENING' or state = 'OPEN') returning id`,
        [id],
      );
      if (rows.length === 0) return undefined;
      await setSockets(tx, id, sockets);
      return readSession(tx, "id = $1", [id]);
    });
  }

  async abandon(id: string): Promise<void> {
    await this.#database.query(
      `update sessions set state = 'CLOSED', token = '', placing_time = null, expire_time = clock_timestamp()
       where id = $1 and state = 'OPENING'`,
      [id],
    );
  }

  async renewed(id: string, leaseMs: number): Promise<SessionRecord | undefined> {
    const rows = await this.#database.query(
      `update sessions set expire_time = clock_timestamp() + $2 * interval '1 millisecond'
       where id = $1 and state = 'OPEN' returning id`,
      [id, leaseMs],
    );
    return rows.length === 0 ? undefined : readSession(this.#database, "id = $1 and state = 'OPEN'", [id]);
  }

  replace(
    { id, tenant, generation }: SessionRecord,
    positions: readonly number[],
    place: (usage: SessionUsage) => readonly string[],
  ): Promise<SessionRecord | undefined> {
    return this.#database.transaction(async (tx) => {
      await lock(tx);
      const rows = await tx.query(
        `update sessions set generation = generation + 1, placing_time = clock_timestamp()
         where id = $1 and state = 'OPEN' and generation = $2 and not ${IS_PLACING} returning id`,
        [id, generation],
      );
      if (rows.length === 0) return undefined;
      // Out of the way first: a lost shard takes no room, and two of them may change places.
      await tx.query(
        `update session_shards set sidecar = 'lost ' || position, unix_socket = ''
         where session_id = $1 and position = any ($2::integer[])`,
        [id, positions],
      );
      const targets = place(await usageOf(tx, tenant));
      await tx.query(
        `update session_shards set sidecar = new.sidecar
         from unnest($2::integer[], $3::text[]) as new (position, sidecar)
         where session_id = $1 and session_shards.position = new.position`,
        [id, positions, targets],
      );
      return readSession(tx, "id = $1", [id]);
    });
  }

  replaced({ id, generation }: SessionRecord, sockets: Sockets): Promise<SessionRecord | undefined> {
    return this.#database.transaction(async (tx) => {
      const rows = await tx.query(
        `update sessions set placing_time = null where id = $1 and state = 'OPEN' and generation = $2 returning id`,
        [id, generation],
      );
      if (rows.length === 0) return undefined;
      await setSockets(tx, id, sockets);
      return readSession(tx, "id = $1", [id]);
    });
  }

  close(tenant: string, id: string): Promise<SessionRecord | undefined> {
    return this.#database.transaction(async (tx) => {
      const before = await readSession(tx, "id = $1 and tenant = $2", [id, tenant]);
      await tx.query(
        `update sessions set state = 'CLOSED', token = '', placing_time = null,
           expire_time = least(expire_time, clock_timestamp())
         where id = $1 and tenant = $2 and state <> 'CLOSED'`,
        [id, tenant],
      );
      return before;
    });
  }
}

/** For the transaction: nobody else places shards meanwhile. */
async function lock(tx: Queryable): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(${SESSIONS_LOCK})`);
}

async function findLiving(tx: Queryable, tenant: string, requestId: string): Promise<SessionRecord | undefined> {
  if (requestId === "") return undefined;
  return readSession(tx, `tenant = $1 and request_id = $2 and ${IS_LIVE}`, [tenant, requestId]);
}

/** One that is neither living nor closed: it lapsed, or its replica died, and nobody has swept it up yet. */
async function giveUpName(tx: Queryable, tenant: string, requestId: string): Promise<void> {
  if (requestId === "") return;
  await tx.query(
    `update sessions set state = 'CLOSED', token = '', placing_time = null
     where tenant = $1 and request_id = $2 and state <> 'CLOSED'`,
    [tenant, requestId],
  );
}

async function usageOf(tx: Queryable, tenant: string): Promise<SessionUsage> {
  const [mine] = await tx.query<{ readonly count: bigint }>(
    `select coalesce(sum(environment_count), 0)::bigint as count from sessions where tenant = $1 and ${IS_LIVE}`,
    [tenant],
  );
  const rows = await tx.query<{ readonly sidecar: string; readonly count: bigint }>(
    `select sidecar, sum(session_shards.environment_count)::bigint as count
     from session_shards join sessions on id = session_id where ${IS_LIVE} group by sidecar`,
  );
  return {
    tenant: Number(mine?.count ?? 0n),
    sidecars: new Map(rows.map(({ sidecar, count }) => [sidecar, Number(count)])),
  };
}

async function insert(tx: Queryable, session: NewSession, shards: readonly PlacedShard[]): Promise<void> {
  const { spec } = session;
  await tx.query(
    `insert into sessions (id, tenant, request_id, body_sha256, state, environment, variant, family, environment_count,
       spec, lease_ms, token, placing_time, expire_time)
     values ($1, $2, $3, $4, 'OPENING', $5, $6, $7, $8, $9, $10::bigint, $11, clock_timestamp(),
       clock_timestamp() + $10::bigint * interval '1 millisecond')`,
    [
      session.id,
      session.tenant,
      session.requestId,
      session.bodySha256,
      spec.environment,
      spec.variant,
      session.family,
      spec.environmentCount,
      Buffer.from(rollout.CreateEnvSessionRequest.encode(spec).finish()),
      session.leaseMs,
      session.token,
    ],
  );
  await tx.query(
    `insert into session_shards (session_id, position, sidecar, first_index, environment_count)
     select $1, new.* from unnest($2::integer[], $3::text[], $4::integer[], $5::integer[]) as new`,
    [
      session.id,
      shards.map((_, position) => position),
      shards.map(({ sidecar }) => sidecar),
      shards.map(({ firstIndex }) => firstIndex),
      shards.map(({ environmentCount }) => environmentCount),
    ],
  );
}

async function setSockets(tx: Queryable, id: string, sockets: Sockets): Promise<void> {
  await tx.query(
    `update session_shards set unix_socket = new.unix_socket
     from unnest($2::integer[], $3::text[]) as new (position, unix_socket)
     where session_id = $1 and session_shards.position = new.position`,
    [id, [...sockets.keys()], [...sockets.values()]],
  );
}
