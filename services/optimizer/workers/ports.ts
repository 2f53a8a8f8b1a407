// What the workers need of the outside, as narrow interfaces that main fills in.
import type { llm, optimizer, rollout, types } from "@promptpo/contracts";
import type { Advanced } from "../core/advance.ts";
import type { LogState } from "../core/log-state.ts";
import type { RunFacts } from "../core/run-view.ts";
import type { Job, QueueName } from "../store/command-queue.ts";

export interface PeerCall {
  readonly tenant: string;
  readonly signal: AbortSignal;
}

export interface Gateway {
  /** `host:port`. */
  readonly target: string;
  complete(request: llm.CompleteRequest, call: PeerCall & { readonly timeoutMs: number }): Promise<llm.Completion>;
}

export interface Evaluation {
  /** In the order of the seeds asked for. */
  readonly episodes: readonly types.EpisodeResult[];
  readonly summary: rollout.EvaluationSummary;
}

export interface Rollout {
  readonly target: string;
  evaluate(request: rollout.EvaluatePolicyRequest, call: PeerCall): Promise<Evaluation>;
  summarize(
    request: rollout.SummarizeTrajectoriesRequest,
    call: PeerCall,
  ): Promise<rollout.SummarizeTrajectoriesResponse>;
}

export interface WorkStore {
  load(runId: string): Promise<{ readonly state: LogState; readonly facts: RunFacts } | undefined>;
  commit(job: Job, kind: NonNullable<optimizer.Event["kind"]>): Promise<Advanced | undefined>;
  discard(job: Job): Promise<void>;
  wait(job: Job, cause: string): Promise<void>;
  waitingSince(job: Job): Promise<number | undefined>;
}

export interface WorkQueue {
  /** Takes up to `count` commands, each claimed by this replica. */
  take(name: QueueName, count: number): Promise<Job[]>;
}

/** What happens, for metrics. */
export interface WorkObserver {
  commandDone(command: string, outcome: "stored" | "dropped" | "waits" | "unwanted", seconds: number): void;
  advanced(before: LogState, advanced: Advanced): void;
}
