/**
 * What the pipeline needs of the world. main hands it in; tests hand in what misbehaves. Types only.
 */
import type { llm, types } from "@promptpo/contracts";
import type { FleetError, Reason } from "@promptpo/service-kit/errors.ts";
import type { Call, ChatMessage, Parameters } from "./call.ts";
import type { Charge, Fate } from "./outcome.ts";
import type { Finish, Library, Recorded } from "./recorded.ts";
import type { CountedTokens } from "./usage.ts";

export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Runs `action` once, `ms` from now, unless the returned function is called before. */
  after(ms: number, action: () => void): () => void;
}

// ---- providers

export interface ProviderRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly parameters: Parameters;
  readonly signal: AbortSignal;
  /** Given: the answer is streamed and each piece is told. */
  readonly onPiece?: ((text: string) => void) | undefined;
}

export type ProviderReply =
  | {
      readonly kind: "answer";
      readonly text: string;
      /** By the provider's word. */
      readonly model: string;
      readonly finish: Finish;
      readonly counted: CountedTokens;
    }
  | {
      readonly kind: "failure";
      readonly error: FleetError;
      readonly fate: Fate;
      /** Whether the same request may be sent again right away (after a pause). */
      readonly again: boolean;
      /** What the provider asked to wait. */
      readonly retryAfterMs?: number | undefined;
      /** What came before it broke off; present when the provider is to be taken as having worked. */
      readonly partial?: { readonly text: string; readonly counted: CountedTokens } | undefined;
    };

export interface Provider {
  readonly name: string;
  /** Never throws what a provider can cause: failures are replies. */
  ask(request: ProviderRequest): Promise<ProviderReply>;
}

/** Which provider serves a model. */
export type Route =
  | { readonly kind: "provider"; readonly provider: Provider }
  | { readonly kind: "none"; readonly error: FleetError };

export interface Catalog {
  route(model: string): Route;
  /** Configured names, with the provider that serves each. */
  models(): readonly { readonly name: string; readonly provider: string }[];
  /** False where no provider is configured at all. */
  readonly canAsk: boolean;
}

// ---- cache and recordings

/** A completion as its provider gave it. Keys are digests that hold the tenant. */
export interface AnswerCache {
  get(key: string): Promise<llm.Completion | undefined>;
  set(key: string, completion: llm.Completion): Promise<void>;
}

export interface Recordings {
  readonly mode: "off" | "record" | "replay";
  readonly library: Library;
  /** Adds an answer to the library and writes its file, whole or not at all. Only in mode record. */
  write(recorded: Recorded): Promise<void>;
}

// ---- answer log and usage

export interface CallId {
  readonly tenant: string;
  readonly requestId: string;
}

export type RowState = "reserved" | "sent" | "stored" | "failed" | "unknown";

/** A row of the answer log as it was read. */
export interface AnswerRow {
  readonly state: RowState;
  /** Raised by every change; a change names the version it saw. */
  readonly version: number;
  readonly bodySha256: string;
  /** The process that works on it; undefined when nobody does. */
  readonly owner: string | undefined;
  /** Whether that process lives. */
  readonly ownerLives: boolean;
  readonly completion: llm.Completion | undefined;
  /** Reason of the last failure. */
  readonly errorReason: string;
}

/** One line of the account. */
export interface UsageEntry {
  /** Unique: an entry written twice counts once. */
  readonly id: string;
  readonly tenant: string;
  readonly runId: string;
  readonly model: string;
  /** A provider answered. */
  readonly providerCalls: number;
  /** Cache, log, recording or another call's answer served. */
  readonly freeCalls: number;
  /** Absent for free calls. */
  readonly charge: Charge | undefined;
}

export interface AnswerLog {
  /** This process, as rows name it. */
  readonly owner: string;
  /** Makes the row, ours and RESERVED; else the row that is there. */
  reserve(call: Call): Promise<"reserved" | AnswerRow>;
  /** Makes an abandoned row ours and RESERVED; false when somebody was faster. */
  take(id: CallId, version: number): Promise<boolean>;
  /** Writes down that the fate of an abandoned row is unknown. */
  markUnknown(id: CallId, version: number): Promise<void>;
  /** Durable before it returns: from here on the provider may have been reached. */
  markSent(id: CallId): Promise<void>;
  /** Stores answer and usage together. Gives the row's answer: an earlier one wins. May be repeated. */
  store(id: CallId, completion: llm.Completion, usage: UsageEntry): Promise<llm.Completion>;
  /** Lets go of a row without an answer. May be repeated. */
  release(
    id: CallId,
    state: "reserved" | "failed" | "unknown",
    reason: Reason,
    usage: UsageEntry | undefined,
  ): Promise<void>;
  find(id: CallId): Promise<AnswerRow | undefined>;
  /** Waits until the row may have changed, a second at most. Rejects with the signal's reason. */
  changed(id: CallId, signal: AbortSignal): Promise<void>;
  /** Asks the process that works on the call to stop it. */
  requestCancel(id: CallId): Promise<void>;
}

/** The account of calls that have no row in the answer log. */
export interface UsageLog {
  /** Written within a second or so: a crash loses at most that. */
  add(entry: UsageEntry): void;
}

export interface UsageFilter {
  readonly tenant: string;
  /** Empty: all. */
  readonly runId: string;
  readonly from: Date | undefined;
  readonly to: Date | undefined;
}

export interface UsageTotal {
  readonly model: string;
  readonly runId: string;
  readonly providerCalls: bigint;
  readonly freeCalls: bigint;
  readonly usage: types.Usage;
  readonly cost: types.Cost;
}

export interface UsageReport {
  /** By model, then run. */
  totals(filter: UsageFilter): Promise<UsageTotal[]>;
}

// ---- observation

/** What is counted. Model names are bounded by the implementation. */
export interface Meter {
  call(event: { model: string; source: string; outcome: string; seconds: number }): void;
  upstream(event: { model: string; provider: string; outcome: string; seconds: number }): void;
  charge(model: string, charge: Charge): void;
  retried(reason: Reason): void;
}

/** What the pipeline says to operators. */
export interface Notes {
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}
