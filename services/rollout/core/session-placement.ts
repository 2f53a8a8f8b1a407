/**
 * Which sidecars carry how many of a session's environments, and when there is no room for them.
 *
 * As even a split as the sidecars' room allows, over as many sidecars as there are environments for, the least loaded
 * first; larger shards come first. Everything follows from what is handed in, so every replica would decide the same.
 */
import { FleetError } from "@promptpo/service-kit/errors.ts";

export interface SessionQuotas {
  /** Environments that one tenant may have in sessions. */
  readonly tenantEnvironments: number;
  /** Environments of sessions that one sidecar carries. */
  readonly sidecarEnvironments: number;
}

export interface SessionUsage {
  /** Environments of the tenant's living sessions. */
  readonly tenant: number;
  /** Environments of living sessions by sidecar; a sidecar that is not named carries none. */
  readonly sidecars: ReadonlyMap<string, number>;
}

export interface PlacedShard {
  /** The sidecar's target. */
  readonly sidecar: string;
  readonly firstIndex: number;
  readonly environmentCount: number;
}

const RETRY_AFTER_MS = 5_000;

/** Throws QUOTA_EXHAUSTED. `sidecars` are those that may be used, each once. */
export function placeSession(
  environmentCount: number,
  sidecars: readonly string[],
  usage: SessionUsage,
  quotas: SessionQuotas,
): PlacedShard[] {
  refuseOverQuota(environmentCount, usage.tenant, quotas.tenantEnvironments);
  const rooms = byRoom(sidecars, usage, quotas);
  const counts = spread(
    environmentCount,
    rooms.map(({ room }) => room),
  );
  if (counts === undefined) throw noRoom(environmentCount, sidecars.length, rooms, quotas);
  let firstIndex = 0;
  return rooms
    .flatMap(({ sidecar }, at) => {
      const count = counts[at] ?? 0;
      return count > 0 ? [{ sidecar, environmentCount: count }] : [];
    })
    .sort((a, b) => b.environmentCount - a.environmentCount)
    .map((shard) => {
      const placed = { ...shard, firstIndex };
      firstIndex += shard.environmentCount;
      return placed;
    });
}

/**
 * A new sidecar for each shard that lost its own; `counts` are the shards' numbers of environments. Throws
 * QUOTA_EXHAUSTED. Whether there are enough sidecars is the caller's business.
 */
export function placeLostShards(
  counts: readonly number[],
  sidecars: readonly string[],
  usage: SessionUsage,
  quotas: SessionQuotas,
): string[] {
  const rooms = byRoom(sidecars, usage, quotas);
  // The largest shard gets the sidecar with most room: if that does not fit, nothing does.
  const order = counts.map((count, at) => ({ count, at })).sort((a, b) => b.count - a.count);
  const chosen: string[] = [];
  for (const [rank, { count, at }] of order.entries()) {
    const place = rooms[rank];
    if (place === undefined || place.room < count) throw noRoom(count, sidecars.length, rooms, quotas);
    chosen[at] = place.sidecar;
  }
  return chosen;
}

/** Counts that differ by one at most, except where a room is smaller. Undefined: the rooms are too small. */
function spread(total: number, rooms: readonly number[]): number[] | undefined {
  const counts = rooms.map(() => 0);
  // The smallest rooms first: what does not fit into them is shared by the others.
  const order = rooms.map((room, at) => ({ room, at })).sort((a, b) => a.room - b.room || b.at - a.at);
  let left = total;
  for (const [rank, { room, at }] of order.entries()) {
    const share = Math.min(room, Math.floor(left / (order.length - rank)));
    counts[at] = share;
    left -= share;
  }
  return left === 0 ? counts : undefined;
}

/** The least loaded first; among equals the order given. */
function byRoom(sidecars: readonly string[], usage: SessionUsage, { sidecarEnvironments }: SessionQuotas) {
  return sidecars
    .map((sidecar) => ({ sidecar, room: Math.max(0, sidecarEnvironments - (usage.sidecars.get(sidecar) ?? 0)) }))
    .sort((a, b) => b.room - a.room);
}

function refuseOverQuota(environmentCount: number, inUse: number, quota: number): void {
  if (inUse + environmentCount <= quota) return;
  const metadata = { quota: String(quota), in_use: String(inUse), asked: String(environmentCount) };
  if (environmentCount > quota) {
    throw new FleetError(
      "QUOTA_EXHAUSTED",
      `environment_count is ${environmentCount}; a tenant may have ${quota} environments in sessions. Ask for fewer, or have PROMPTPO_TENANT_SESSION_ENVIRONMENTS raised`,
      { metadata },
    );
  }
  throw new FleetError(
    "QUOTA_EXHAUSTED",
    `${inUse} of the tenant's ${quota} environments are in use, so ${environmentCount} more do not fit. Close a session, or wait for a lease to lapse`,
    { metadata, retryAfterMs: RETRY_AFTER_MS },
  );
}

function noRoom(
  environmentCount: number,
  sidecarCount: number,
  rooms: readonly { readonly room: number }[],
  { sidecarEnvironments }: SessionQuotas,
): FleetError {
  const capacity = sidecarCount * sidecarEnvironments;
  const free = rooms.reduce((sum, { room }) => sum + room, 0);
  const next =
    environmentCount > capacity ? "Ask for fewer, or have more sidecars started" : "Ask for fewer, or try again later";
  return new FleetError(
    "QUOTA_EXHAUSTED",
    `${sidecarCount} sidecars carry ${sidecarEnvironments} environments of sessions each and have room for ${free}, so ${environmentCount} do not fit. ${next}`,
    {
      metadata: { quota: String(capacity), in_use: String(capacity - free), asked: String(environmentCount) },
      ...(environmentCount > capacity ? {} : { retryAfterMs: RETRY_AFTER_MS }),
    },
  );
}
