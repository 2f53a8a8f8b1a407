/**
 * What `connect` gives. Types only.
 *
 * The short methods here carry deadlines and try again what may be tried again; the three whole clients below them do
 * neither, and have every method of their services.
 */
import type { llm, optimizer, rollout } from "@promptpo/contracts";
import type { CallOptions, Client } from "@promptpo/service-kit";
import type { Evaluation, EvaluationListeners } from "./evaluate.ts";

/** A message with only the fields that matter. */
type Fields<M extends { fromPartial(object: never): unknown }> = Parameters<M["fromPartial"]>[0];

/** Of one call: what the connection says otherwise. */
export interface CallSettings extends CallOptions {
  /** How long the call is tried again while the fleet does not answer, in milliseconds. */
  readonly patienceMs?: number;
}

export interface CreateRunOptions extends CallSettings {
  /** A name for people. */
  readonly displayName?: string;
  /** The same key is the same run; default: a new one, so that a repeated attempt makes no second run. */
  readonly idempotencyKey?: string;
}

export interface WatchOptions {
  /** Events after this sequence number; default 0, from the start. */
  readonly afterSequence?: bigint;
  readonly signal?: AbortSignal;
  /** How long to try again without hearing anything, in milliseconds; default 300 000. */
  readonly patienceMs?: number;
  /** Told when the connection broke and the watch goes on. */
  readonly onInterruption?: (error: Error) => void;
}

export interface EvaluateOptions extends CallSettings, EvaluationListeners {}

export interface Fleet extends AsyncDisposable {
  /** The llm-gateway, whole. Using it without its address throws. */
  readonly gateway: Client<llm.LlmGatewayService>;
  /** The rollout service, whole. */
  readonly rollout: Client<rollout.RolloutServiceService>;
  /** The optimizer, whole. */
  readonly optimizer: Client<optimizer.OptimizerService>;

  /** One answer of a model. A request without `requestId` gets one, so that a repeated attempt is not paid twice. */
  complete(request: Fields<typeof llm.CompleteRequest>, call?: CallSettings): Promise<llm.Completion>;
  /** All models. */
  models(call?: CallSettings): AsyncIterable<llm.Model>;

  /** All environments, or those of a family. */
  environments(family?: string, call?: CallSettings): AsyncIterable<rollout.Environment>;
  /** One environment with its texts. */
  environment(id: string, variant?: string, call?: CallSettings): Promise<rollout.Environment>;
  /** Episodes of one policy, in the order of the seeds. A policy's failure is in its episode, not an error. */
  evaluate(request: Fields<typeof rollout.EvaluatePolicyRequest>, options?: EvaluateOptions): Promise<Evaluation>;

  /** Starts a run. */
  createRun(settings: Fields<typeof optimizer.RunSettings>, options?: CreateRunOptions): Promise<optimizer.Run>;
  /** One run, everything. */
  run(runId: string, call?: CallSettings): Promise<optimizer.Run>;
  /** Runs, newest first; `filter` as in `state=RUNNING`. */
  runs(filter?: string, call?: CallSettings): AsyncIterable<optimizer.Run>;
  /** Ends a run; what is paid for is kept. */
  cancelRun(runId: string, reason?: string, call?: CallSettings): Promise<optimizer.Run>;
  /** One candidate, everything. */
  candidate(candidateId: string, call?: CallSettings): Promise<optimizer.Candidate>;
  /**
   * A run's events, each once and in order, until the run has ended. A broken connection is made again and goes on after
   * the last event.
   */
  watchRun(runId: string, options?: WatchOptions): AsyncIterable<WatchedEvent>;

  close(): void;
}

/** An event, and the run as it stands after it. */
export interface WatchedEvent {
  readonly event: optimizer.Event;
  readonly run: optimizer.Run;
}
