/**
 * Opens shards of a session on their sidecars, all at once; the first that fails ends the opening of the others.
 *
 * What was opened before the failure stays open: the caller knows whether it is to be kept or closed.
 */
import { durationFromMs, sim } from "@promptpo/contracts";
import type { SessionRecord, SessionShard, SessionSidecars, Sockets } from "./session-ports.ts";

export interface OpeningOutcome {
  /** Of the shards that are open. */
  readonly sockets: Sockets;
  /** Why not all are: the first failure that was no consequence of another. */
  readonly failure: { readonly error: unknown } | undefined;
}

/** `causes`: by place, why the shard's environments begin as dead. Only these places are opened, or all without it. */
export async function openShards(
  sidecars: SessionSidecars,
  session: SessionRecord,
  signal: AbortSignal,
  causes?: ReadonlyMap<number, string>,
): Promise<OpeningOutcome> {
  const sockets = new Map<number, string>();
  let failure: OpeningOutcome["failure"];
  const others = new AbortController();
  const both = AbortSignal.any([signal, others.signal]);
  const open = async (shard: SessionShard, position: number): Promise<void> => {
    try {
      const opened = await sidecars.open(shard.sidecar, shardRequest(session, shard, causes?.get(position)), both);
      sockets.set(position, opened.unixSocket);
    } catch (error) {
      failure ??= { error };
      others.abort(error);
    }
  };
  await Promise.all(
    session.shards.flatMap((shard, position) =>
      causes === undefined || causes.has(position) ? [open(shard, position)] : [],
    ),
  );
  return { sockets, failure };
}

function shardRequest(session: SessionRecord, shard: SessionShard, cause: string | undefined): sim.OpenSessionRequest {
  const { spec } = session;
  return sim.OpenSessionRequest.create({
    sessionId: session.id,
    token: session.token,
    environment: spec.environment,
    variant: spec.variant,
    environmentCount: shard.environmentCount,
    seeds: spec.seeds.slice(shard.firstIndex, shard.firstIndex + shard.environmentCount),
    autoresetMode: spec.autoresetMode,
    lease: durationFromMs(session.leaseMs),
    options: spec.options,
    cause: cause ?? "",
  });
}
