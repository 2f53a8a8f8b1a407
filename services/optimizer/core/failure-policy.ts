// What becomes of a command whose call failed: it waits for what is away, or the failure is its outcome.
// Owns that decision by reason, and the words for what is waited for. Never fails a run: that is the log's to decide.
import { REASONS, type Reason } from "@promptpo/service-kit/errors.ts";

export type Fate =
  /** Tried again for as long as it takes: somebody has to bring something back. */
  | { readonly kind: "wait"; readonly cause: string }
  /** The failure goes into the log. */
  | { readonly kind: "record" };

export interface FailedCall {
  readonly peer: "gateway" | "rollout";
  /** `host:port` of the peer. */
  readonly target: string;
  readonly reason: Reason;
  readonly message: string;
  /** How long the command has been waiting, in milliseconds. */
  readonly waitedMs: number;
  /** How often it was tried before. */
  readonly retries: number;
  readonly modelTimeoutMs: number;
}

/** Not to be tried again by the table, but here somebody can set them right, and then the same call succeeds. */
const TO_BE_SET_RIGHT: ReadonlySet<Reason> = new Set<Reason>([
  "UNAUTHENTICATED",
  "PERMISSION_DENIED",
  "CANNOT_CONFINE",
  "VERSION_MISMATCH",
]);

/** The gateway tried these itself already; they are waited for as long as one model call may take, then they stand. */
const PROVIDER: ReadonlySet<Reason> = new Set<Reason>([
  "PROVIDER_UNAVAILABLE",
  "PROVIDER_RATE_LIMITED",
  "PROVIDER_BAD_ANSWER",
]);

/**
 * Faults of ours, and a sidecar that this very work brings down again and again: passing ones are tried again a few
 * times, lasting ones must not keep a run waiting for ever.
 */
const FAULTS: ReadonlySet<Reason> = new Set<Reason>(["INTERNAL", "CANCELLED", "DEADLINE_EXCEEDED", "SIDECAR_DIED"]);
const FAULT_RETRIES_MOST = 3;

export function fateOf(call: FailedCall): Fate {
  const { reason, peer } = call;
  if (PROVIDER.has(reason)) {
    return call.waitedMs < call.modelTimeoutMs ? { kind: "wait", cause: waitCause(call) } : { kind: "record" };
  }
  if (FAULTS.has(reason)) {
    // A model call that used its time up has used it up; an evaluation has no deadline of its own.
    const mayPass = !(peer === "gateway" && reason === "DEADLINE_EXCEEDED");
    return mayPass && call.retries < FAULT_RETRIES_MOST ? { kind: "wait", cause: waitCause(call) } : { kind: "record" };
  }
  if (REASONS[reason].retryable || TO_BE_SET_RIGHT.has(reason)) return { kind: "wait", cause: waitCause(call) };
  return { kind: "record" };
}

function waitCause({ peer, target, reason, message }: FailedCall): string {
  const who = peer === "gateway" ? "the llm-gateway" : "the rollout service";
  const what = PROVIDER.has(reason) ? "the model's provider behind " : "";
  return `waits for ${what}${who} at ${target}: ${reason}: ${message}`;
}
