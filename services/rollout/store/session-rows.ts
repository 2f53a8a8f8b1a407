/**
 * Rows of `sessions` with their shards, read as records.
 */
import { rollout } from "@promptpo/contracts";
import type { Queryable } from "@promptpo/service-kit";
import type { SessionRecord, SessionStateName } from "../handlers/session-ports.ts";
import { IS_PLACING } from "./session-sql.ts";

interface SessionRow {
  readonly id: string;
  readonly tenant: string;
  readonly request_id: string;
  readonly body_sha256: string;
  readonly state: SessionStateName;
  readonly family: string;
  readonly spec: Uint8Array;
  readonly lease_ms: bigint;
  readonly token: string;
  readonly generation: number;
  readonly placing: boolean;
  readonly expire_time: Date;
  readonly expired: boolean;
  /** By place. */
  readonly sidecars: string[];
  readonly unix_sockets: string[];
  readonly first_indices: number[];
  readonly environment_counts: number[];
}

/** The session for which `condition` holds, in one statement: its shards are those of the same moment. */
export async function readSession(
  tx: Queryable,
  condition: string,
  values: readonly unknown[],
): Promise<SessionRecord | undefined> {
  const [row] = await tx.query<SessionRow>(
    `select id, tenant, request_id, body_sha256, state, family, spec, lease_ms, token, generation,
       ${IS_PLACING} as placing, expire_time, expire_time <= clock_timestamp() as expired,
       array_agg(sidecar order by position) as sidecars,
       array_agg(unix_socket order by position) as unix_sockets,
       array_agg(first_index order by position) as first_indices,
       array_agg(session_shards.environment_count order by position) as environment_counts
     from sessions join session_shards on session_id = id
     where ${condition}
     group by id`,
    values,
  );
  return row === undefined ? undefined : recordOf(row);
}

function recordOf(row: SessionRow): SessionRecord {
  return {
    id: row.id,
    tenant: row.tenant,
    requestId: row.request_id,
    bodySha256: row.body_sha256,
    state: row.state,
    family: row.family,
    spec: rollout.CreateEnvSessionRequest.decode(row.spec),
    leaseMs: Number(row.lease_ms),
    token: row.token,
    generation: row.generation,
    placing: row.placing,
    expireTime: row.expire_time,
    expired: row.expired,
    shards: row.sidecars.map((sidecar, position) => ({
      sidecar,
      unixSocket: row.unix_sockets[position] ?? "",
      firstIndex: row.first_indices[position] ?? 0,
      environmentCount: row.environment_counts[position] ?? 0,
    })),
  };
}
