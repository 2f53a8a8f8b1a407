// What the handlers need, as interfaces that main fills in. No handler knows a table, a client or a timer.
import type { llm, optimizer, rollout } from "@promptpo/contracts";
import type { Handler, Logger } from "@promptpo/service-kit";
import type { Advanced } from "../core/advance.ts";
import type { LogState } from "../core/log-state.ts";
import type { RunFacts } from "../core/run-view.ts";

export type OptimizerHandler<M extends keyof typeof optimizer.OptimizerService> = Handler<
  (typeof optimizer.OptimizerService)[M]
>;

export interface LoadedRun {
  readonly state: LogState;
  readonly events: readonly optimizer.Event[];
  readonly facts: RunFacts;
  /** Of the canonical log; empty while the run goes on. */
  readonly digest: string;
}

export interface NewRun {
  readonly id: string;
  readonly tenant: string;
  readonly requestId: string;
  readonly requestSha256: string;
  readonly displayName: string;
  readonly environment: string;
  readonly model: string;
}

export interface RunLog {
  /** undefined when its id or request id is taken. */
  create(run: NewRun, created: optimizer.RunCreated): Promise<LoadedRun | undefined>;
  ofRequest(tenant: string, requestId: string): Promise<{ id: string; requestSha256: string } | undefined>;
  load(runId: string): Promise<LoadedRun | undefined>;
  eventsAfter(runId: string, sequence: number): Promise<optimizer.Event[]>;
  /** undefined when the run has ended. */
  steer(runId: string, control: optimizer.RunControlled): Promise<Advanced | undefined>;
}

export interface ListedRun {
  readonly run: optimizer.Run;
  readonly createTimeMs: number;
}

export interface RunList {
  list(query: RunQuery): Promise<ListedRun[]>;
}

export interface RunQuery {
  readonly tenant: string;
  readonly state: number | undefined;
  readonly environment: string | undefined;
  readonly model: string | undefined;
  readonly descending: boolean;
  /** The last run of the page before. */
  readonly after: { readonly createTimeMs: number; readonly id: string } | undefined;
  readonly limit: number;
}

export interface RunNews {
  subscribe(runId: string): Disposable & { next(signal: AbortSignal): Promise<"changed" | "nothing"> };
}

interface LookUp {
  readonly tenant: string;
  readonly signal: AbortSignal;
}

export interface Environments {
  environment(id: string, variant: string, call: LookUp): Promise<rollout.Environment>;
  environmentIds(call: LookUp): Promise<string[]>;
}

export interface Models {
  listModels(call: LookUp): Promise<llm.Model[]>;
}

export interface HandlerPorts {
  readonly log: Logger;
  readonly runs: RunLog;
  readonly list: RunList;
  readonly news: RunNews;
  readonly environments: Environments;
  readonly models: Models;
  /** Aborts when this process begins to stop; its reason is a FleetError. */
  readonly stopping: AbortSignal;
  /** A new run's id, where no request id gives one. */
  newRunId(): string;
  runCreated(): void;
}
