/**
 * A stored session as callers see it.
 */
import { durationFromMs, rollout, timestampFromDate } from "@promptpo/contracts";

export interface SessionView {
  readonly id: string;
  readonly token: string;
  readonly environment: string;
  readonly variant: string;
  readonly environmentCount: number;
  readonly autoresetMode: rollout.AutoresetMode;
  readonly leaseMs: number;
  readonly expireTime: Date;
  /** In the order of the environments. */
  readonly shards: readonly {
    readonly sidecar: string;
    readonly unixSocket: string;
    readonly firstIndex: number;
    readonly environmentCount: number;
  }[];
}

export function sessionMessage(session: SessionView): rollout.EnvSession {
  return rollout.EnvSession.fromPartial({
    id: session.id,
    token: session.token,
    shards: session.shards.map(({ sidecar, ...shard }) => ({ target: sidecar, ...shard })),
    expireTime: timestampFromDate(session.expireTime),
    environment: session.environment,
    variant: session.variant,
    environmentCount: session.environmentCount,
    autoresetMode: session.autoresetMode,
    lease: durationFromMs(session.leaseMs),
  });
}
