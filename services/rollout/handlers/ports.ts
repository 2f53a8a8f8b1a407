/**
 * What the handlers need of the world, as interfaces: main hands in the real things. Types only.
 */
import type { rollout, sim, types } from "@promptpo/contracts";
import type { Catalogue } from "../core/catalogue.ts";
import type { EvaluationSpec, TrajectoryFormatName } from "../core/evaluation-spec.ts";
import type { RenderSpec } from "../core/render-spec.ts";
import type { SummarySpec } from "../core/summary-spec.ts";

/** Idempotency key: a request_id within its tenant. */
export interface EvaluationKey {
  readonly tenant: string;
  readonly requestId: string;
}

/** OPEN: not all episodes are there, whether or not somebody works on them. */
export type EvaluationStateName = "OPEN" | "SUCCEEDED" | "CANCELLED";

/** TAKEN: open, and another replica works on it now. */
export type KeptState = EvaluationStateName | "TAKEN";

export interface StoredEpisode {
  /** Place in the list of seeds, from 0. */
  readonly position: number;
  readonly fingerprintDigest: string;
  readonly confined: boolean;
  readonly result: types.EpisodeResult;
}

export interface EvaluationRecord {
  readonly bodySha256: string;
  readonly state: EvaluationStateName;
  readonly episodeCount: number;
  /** Another replica that lives works on it. */
  readonly isHeldElsewhere: boolean;
  /** In seed order; some may be missing while the state is not SUCCEEDED. */
  readonly episodes: readonly StoredEpisode[];
  /** Set when the state is SUCCEEDED. */
  readonly summary: rollout.EvaluationSummary | undefined;
}

export interface NewEvaluation {
  readonly bodySha256: string;
  readonly environment: string;
  /** The default resolved. */
  readonly variant: string;
  readonly runId: string;
  readonly episodeCount: number;
  readonly fingerprintDigest: string;
}

/** The right to add to an open evaluation, until another replica claims it. */
export interface Claim {
  readonly key: EvaluationKey;
  /** A number that every claim raises: the store takes nothing that comes with a lower one. */
  readonly fence: bigint;
}

export interface OpenedEvaluation {
  readonly record: EvaluationRecord;
  /** Undefined: another replica works on it, or there is nothing to do. */
  readonly claim: Claim | undefined;
}

/** Evaluations by request_id, durable. Every method may fail with DATABASE_UNAVAILABLE. */
export interface EvaluationRecords {
  /** Without the episodes at the places that are `known`. */
  find(key: EvaluationKey, known?: readonly number[]): Promise<EvaluationRecord | undefined>;
  /**
   * Makes the record, or finds the one that is there, and claims it where it is OPEN and no other replica that lives holds
   * it. Episodes of another fingerprint are dropped then. Call it while `Replica.hold` is held.
   */
  open(key: EvaluationKey, evaluation: NewEvaluation, known?: readonly number[]): Promise<OpenedEvaluation>;
  /** Stores what is not stored, if the evaluation is OPEN and ours; the state tells. */
  addEpisodes(claim: Claim, episodes: readonly StoredEpisode[]): Promise<KeptState>;
  /** SUCCEEDED if it was OPEN and ours and has all its episodes; the state tells. */
  finish(claim: Claim, summary: rollout.EvaluationSummary): Promise<KeptState>;
  /** Nobody works on it any more, unless somebody took it over or it ended. */
  release(claim: Claim): Promise<void>;
  /** From now on its changes are news. */
  watch(key: EvaluationKey): Promise<void>;
  /** CANCELLED if it was OPEN; the state tells; undefined: never heard of. Every replica is told. */
  cancel(key: EvaluationKey): Promise<EvaluationStateName | undefined>;
}

/** This process among those that work on evaluations. */
export interface Replica {
  /** While it is held, other replicas take this one to be alive. */
  hold(): Promise<Disposable>;
}

export interface NewsWatch extends Disposable {
  /**
   * Resolves when there may be news since it resolved last (or since the watch began); may resolve without any. Fails when
   * the signal aborts. One waits at a time.
   */
  changed(signal: AbortSignal): Promise<void>;
}

/** News of evaluations that other replicas work on. */
export interface News {
  watch(key: EvaluationKey): NewsWatch;
}

/** The clock, where callers are told how far something is. No result may depend on it. */
export interface Pace {
  /** The time between two messages of progress, from now on. To be disposed. */
  pause(): { readonly over: Promise<void> } & Disposable;
}

export interface SummaryRecord {
  readonly bodySha256: string;
  readonly response: rollout.SummarizeTrajectoriesResponse;
}

export interface SummaryRecords {
  find(key: EvaluationKey): Promise<SummaryRecord | undefined>;
  /** The record that stands: the first one stored. */
  add(key: EvaluationKey, record: SummaryRecord): Promise<SummaryRecord>;
}

/** Exact results by content key (lower-case hex). */
export interface ExactEpisodes {
  find(keys: readonly string[]): Promise<ReadonlyMap<string, types.EpisodeResult>>;
  add(episodes: ReadonlyMap<string, types.EpisodeResult>): Promise<void>;
}

/** Bytes by their sha-256. */
export interface Artifacts {
  put(bytes: Uint8Array, mediaType: string): Promise<types.ArtifactRef>;
  has(sha256: string): Promise<boolean>;
  /** What is stored under the hash. Throws ARTIFACT_NOT_FOUND. */
  describe(sha256: string): Promise<types.ArtifactRef>;
  /** The bytes from `offset` on in pieces; the last piece only once all bytes had the right hash, else ARTIFACT_DAMAGED. */
  read(sha256: string, offset: number): AsyncIterable<Buffer>;
}

export interface TrajectoryRecord {
  /** As the sidecar recorded it. */
  readonly npz: Uint8Array;
  readonly seed: bigint;
  readonly format: TrajectoryFormatName;
  /** Every so manieth step was recorded. */
  readonly stride: number;
}
export interface TrajectoryFile {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

/** Trajectories in the formats that callers may ask for; the same bytes for the same trajectory. */
export interface TrajectoryFiles {
  encode(record: TrajectoryRecord): TrajectoryFile;
}

/** What the sidecars agree to be. */
export interface Simulation {
  readonly catalogue: Catalogue;
  readonly fingerprint: types.Fingerprint;
  readonly confined: boolean;
}

export interface Order {
  readonly tenant: string;
  readonly environment: rollout.Environment;
  /** The fingerprint under which all of the order must be simulated. */
  readonly fingerprintDigest: string;
}
export interface EpisodesOrder extends Order {
  readonly spec: EvaluationSpec;
  /** Places whose results are there already. */
  readonly done: ReadonlySet<number>;
}
export interface SummaryOrder extends Order {
  readonly spec: SummarySpec;
  /** Recorded trajectories where `spec` names some. */
  readonly trajectories: readonly sim.Trajectory[];
}
export interface RenderOrder extends Order {
  readonly spec: RenderSpec;
}

export interface SimulatedEpisode {
  readonly position: number;
  readonly result: types.EpisodeResult;
  readonly confined: boolean;
  /** A numpy archive, where it was to be recorded. */
  readonly trajectory: Uint8Array | undefined;
}
export interface EpisodeListener {
  /** The first block went to a sidecar. */
  started(): void;
  /** Each position once, in any order. Awaited before the sidecar's next message is read; throwing ends the order. */
  episode(episode: SimulatedEpisode): Promise<void>;
}
export interface RenderedVideo {
  readonly bytes: Uint8Array;
  readonly summary: sim.RenderSummary;
}

/** The sidecars behind their queue. Errors: QUEUE_FULL, NO_SIDECAR, CANNOT_CONFINE, SIDECAR_DIED, SIMULATOR_FAILED. */
export interface Simulators {
  /** Episodes of all tenants that wait for a sidecar. */
  readonly waitingCount: number;
  /** What is simulated here; waits for the first sidecar, but not past the deadline. */
  simulation(signal: AbortSignal): Promise<Simulation>;
  /**
   * One environment, texts included, as it is now: also one that is not listed (`gym:<id>`). An empty `variant` is the
   * default. Throws UNKNOWN_ENVIRONMENT or UNKNOWN_VARIANT; INVALID_ARGUMENT for somebody's own that is broken.
   */
  environment(simulation: Simulation, id: string, variant: string, signal: AbortSignal): Promise<rollout.Environment>;
  runEpisodes(order: EpisodesOrder, listener: EpisodeListener, signal: AbortSignal): Promise<void>;
  summarize(order: SummaryOrder, signal: AbortSignal): Promise<rollout.SummarizeTrajectoriesResponse>;
  render(order: RenderOrder, signal: AbortSignal): Promise<RenderedVideo>;
  /**
   * A signal that aborts with NO_SIDECAR (or CANNOT_CONFINE) shortly before the deadline, if no sidecar serves then: the
   * caller learns why its time was spent. To be disposed.
   */
  watchDeadline(deadlineMs: number | undefined): { readonly signal: AbortSignal } & Disposable;
}

/** Counts that handlers know and nobody else. */
export interface RolloutMetrics {
  episode(episode: {
    environment: rollout.Environment;
    tenant: string;
    result: types.EpisodeResult;
    cached: boolean;
  }): void;
}

export interface Ports {
  readonly evaluations: EvaluationRecords;
  readonly replica: Replica;
  readonly news: News;
  readonly pace: Pace;
  readonly summaries: SummaryRecords;
  /** Undefined: the cache is off. */
  readonly exactEpisodes: ExactEpisodes | undefined;
  readonly artifacts: Artifacts;
  readonly trajectoryFiles: TrajectoryFiles;
  readonly simulators: Simulators;
  readonly metrics: RolloutMetrics;
}
