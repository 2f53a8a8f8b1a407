/**
 * What the session handlers need of the world, as interfaces: main hands in the real things. Types only.
 */
import type { rollout, sim } from "@promptpo/contracts";
import type { LeaseBounds } from "../core/lease.ts";
import type { PlacedShard, SessionQuotas, SessionUsage } from "../core/session-placement.ts";
import type { EvaluationKey, Simulators } from "./ports.ts";

/** OPENING: its shards are being made. CLOSED: closed, lapsed, or it never came to be. */
export type SessionStateName = "OPENING" | "OPEN" | "CLOSED";

export interface SessionShard extends PlacedShard {
  /** Empty: none, or the shard is not open. */
  readonly unixSocket: string;
}

export interface SessionRecord {
  readonly id: string;
  readonly tenant: string;
  readonly requestId: string;
  readonly bodySha256: string;
  readonly state: SessionStateName;
  readonly family: string;
  /** As it was asked for, every default filled in, one seed an environment or none. */
  readonly spec: rollout.CreateEnvSessionRequest;
  readonly leaseMs: number;
  readonly token: string;
  readonly generation: number;
  /** Some replica that lives is placing shards of it. */
  readonly placing: boolean;
  /** By the database's clock. */
  readonly expireTime: Date;
  readonly expired: boolean;
  readonly shards: readonly SessionShard[];
}

export interface NewSession {
  readonly id: string;
  readonly token: string;
  readonly tenant: string;
  readonly requestId: string;
  readonly bodySha256: string;
  readonly family: string;
  readonly spec: rollout.CreateEnvSessionRequest;
  readonly leaseMs: number;
}

/** Where a shard that was opened can be reached on its machine, by its place. */
export type Sockets = ReadonlyMap<number, string>;

/** Sessions, durable. Every method may fail with DATABASE_UNAVAILABLE. */
export interface SessionRecords {
  /** The living session of the tenant's request_id. */
  findByRequest(key: EvaluationKey): Promise<SessionRecord | undefined>;
  find(tenant: string, id: string): Promise<SessionRecord | undefined>;
  /**
   * Makes the record in state OPENING, with what `place` decides by the usage of this moment; no other session is placed
   * meanwhile. Where the request_id has a living session already, that one.
   */
  reserve(session: NewSession, place: (usage: SessionUsage) => readonly PlacedShard[]): Promise<SessionRecord>;
  /** OPEN from now on; undefined: it is not OPENING any more. */
  opened(id: string, sockets: Sockets): Promise<SessionRecord | undefined>;
  /** A session that did not come to be. */
  abandon(id: string): Promise<void>;
  /** Lives for so long from now on; undefined: it is not OPEN. */
  renewed(id: string, leaseMs: number): Promise<SessionRecord | undefined>;
  /**
   * New sidecars for the shards at `positions`, decided by the usage of this moment and marked as being placed.
   * Undefined: the session is not OPEN, was placed anew by somebody else meanwhile, or is being so.
   */
  replace(
    session: SessionRecord,
    positions: readonly number[],
    place: (usage: SessionUsage) => readonly string[],
  ): Promise<SessionRecord | undefined>;
  /** The end of placing anew, whatever came of it; undefined: the session is not OPEN any more. */
  replaced(session: SessionRecord, sockets: Sockets): Promise<SessionRecord | undefined>;
  /** CLOSED from now on; the record as it was before. Undefined: the tenant has none of that id. */
  close(tenant: string, id: string): Promise<SessionRecord | undefined>;
}

/** What became of a shard that should live. */
export type ShardAnswer = { readonly alive: true } | { readonly alive: false; readonly cause: string };

/** The sidecars as places of sessions. Aborting a signal fails with its reason. */
export interface SessionSidecars {
  /**
   * Targets of the sidecars that serve, as clients reach them, without those in `except`; waits until there are `least`.
   * Fails with NO_SIDECAR (or CANNOT_CONFINE) after the service's patience.
   */
  targets(
    wanted: { readonly least: number; readonly except: readonly string[] },
    signal: AbortSignal,
  ): Promise<string[]>;
  /** Fails with the sidecar's own error, or SIDECAR_UNAVAILABLE. */
  open(target: string, request: sim.OpenSessionRequest, signal: AbortSignal): Promise<sim.ShardOpened>;
  renew(target: string, request: sim.RenewSessionRequest, signal: AbortSignal): Promise<ShardAnswer>;
  /** Bounded in time, never fails: what cannot be reached lapses by itself. */
  close(target: string, sessionId: string): Promise<void>;
}

/** Names that nobody can guess. */
export interface SessionNames {
  id(): string;
  token(): string;
}

export interface SessionMetrics {
  created(family: string, tenant: string): void;
  /** A reason of the table. */
  refused(reason: string): void;
  /** Shards that lost their sidecar and were placed anew. */
  replaced(family: string, shardCount: number): void;
}

export interface SessionPorts {
  readonly records: SessionRecords;
  readonly sidecars: SessionSidecars;
  readonly simulators: Pick<Simulators, "simulation" | "environment" | "watchDeadline">;
  readonly names: SessionNames;
  readonly metrics: SessionMetrics;
  readonly bounds: LeaseBounds;
  readonly quotas: SessionQuotas;
}
