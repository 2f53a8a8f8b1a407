/**
 * A model call as the gateway understands it: checked, with the parameters in the providers' own names and its keys
 * computed. Types only; parse-call.ts makes them.
 */
import type { Json } from "@promptpo/contracts";

export type Role = "system" | "user" | "assistant";

export interface ChatMessage {
  readonly role: Role;
  readonly content: string;
}

/** Sampling parameters by the providers' names (`max_tokens`); only those that the caller set. */
export type Parameters = { readonly [name: string]: Json };

/** What the cache may do: read and write, neither, write only, or answer alone. */
export type CacheUse = "use" | "no-cache" | "refresh" | "only-if-cached";

/** How far a recorded request may differ: not at all, in its numbers, in everything but its place. */
export type Tolerance = "exact" | "masked" | "place";

export interface Call {
  readonly tenant: string;
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly parameters: Parameters;
  readonly sample: { readonly namespace: string; readonly index: number };
  readonly cacheUse: CacheUse;
  /** Empty: the call is not kept in the answer log. */
  readonly requestId: string;
  /** For an earlier call of the same request id whose fate is unknown. */
  readonly onUnknown: "resend" | "hold";
  /** Empty outside of runs. */
  readonly place: string;
  /** Empty outside of runs. */
  readonly runId: string;
  /** Milliseconds that the answer may take. */
  readonly timeoutMs: number;
  readonly tolerance: Tolerance;
  /** Hex sha-256: which cached answer fits. */
  readonly cacheKey: string;
  /** Hex sha-256: which recorded answer fits. */
  readonly recordingKey: string;
  /** Hex sha-256 of all that is asked: one request id stands for one body. */
  readonly bodySha256: string;
}
