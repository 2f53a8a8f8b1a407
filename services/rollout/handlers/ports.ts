/**
 * What the handlers need of the world, as interfaces: main hands in the real things. Types only.
 */
import type { rollout, sim, types } from "@promptpo/contracts";
import type { Catalogue } from "../core/catalogue.ts";
import type { EvaluationSpec } from "../core/evaluation-spec.ts";
import type { RenderSpec } from "../core/render-spec.ts";
import type { SummarySpec } from "../core/summary-spec.ts";

/** Idempotency key: a request_id within its tenant. */
export interface EvaluationKey {
  readonly tenant: string;
  readonly requestId: string;
}

/** OPEN: not all episodes are there, whether or not somebody works on them. */
export type EvaluationStateName = "OPEN" | "SUCCEEDED" | "CANCELLED";

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

/** Evaluations by request_id, durable. Every method may fail with DATABASE_UNAVAILABLE. */
export interface EvaluationRecords {
  find(key: EvaluationKey): Promise<EvaluationRecord | undefined>;
  /** Makes the record, or finds the one that is there; episodes of another fingerprint are dropped while it is OPEN. */
  open(key: EvaluationKey, evaluation: NewEvaluation): Promise<EvaluationRecord>;
  /** Stores what is not stored, if the evaluation is OPEN; the state tells. */
  addEpisodes(key: EvaluationKey, episodes: readonly StoredEpisode[]): Promise<EvaluationStateName>;
  /** SUCCEEDED if it was OPEN and has all its episodes; the state tells. */
  finish(key: EvaluationKey, summary: rollout.EvaluationSummary): Promise<EvaluationStateName>;
  /** CANCELLED if it was OPEN; the state tells; undefined: never heard of. Every replica is told. */
  cancel(key: EvaluationKey): Promise<EvaluationStateName | undefined>;
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
  /** What is simulated here; waits for the first sidecar, but not past the deadline. */
  simulation(signal: AbortSignal): Promise<Simulation>;
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
  episode(episode: { family: string; result: types.EpisodeResult; cached: boolean }): void;
}

export interface Ports {
  readonly evaluations: EvaluationRecords;
  readonly summaries: SummaryRecords;
  /** Undefined: the cache is off. */
  readonly exactEpisodes: ExactEpisodes | undefined;
  readonly artifacts: Artifacts;
  readonly simulators: Simulators;
  readonly metrics: RolloutMetrics;
}
