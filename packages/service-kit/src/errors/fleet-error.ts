/**
 * The one error class of the fleet: a reason of the table, a message for people, and what a caller may do about it.
 *
 * Owns the class and `FleetError.from(unknown)`. It refuses to show the text of an error that is not ours to show:
 * whatever is unknown becomes INTERNAL, its text stays in `cause` (for the log) and never in `message`.
 */
import type { Metadata, status } from "@grpc/grpc-js";
import { ERROR_DOMAIN, isReason, REASONS, type Reason, reasonOfCode } from "./reasons.ts";
import { readStatusDetails } from "./status-details.ts";
import type { Violation } from "./violation.ts";

export interface FleetErrorOptions {
  /** Names and values that a program may read (`{ nearest: "HalfCheetah-v5" }`). Never a secret. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** When to try again, in milliseconds from now. */
  readonly retryAfterMs?: number | undefined;
  readonly violations?: readonly Violation[] | undefined;
  /** Id of the request that failed, as the server knows it. */
  readonly requestId?: string | undefined;
  /** What happened underneath. Logged, never sent. */
  readonly cause?: unknown;
}

export class FleetError extends Error {
  readonly code: status;
  readonly reason: Reason;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  readonly violations?: readonly Violation[];
  readonly requestId?: string;

  /** `message` says what, where, why and what to do next, in the caller's words; it goes over the wire as it is. */
  constructor(reason: Reason, message: string, options: FleetErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "FleetError";
    this.reason = reason;
    this.code = REASONS[reason].code;
    this.retryable = REASONS[reason].retryable;
    this.metadata = options.metadata ?? {};
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    if (options.violations !== undefined && options.violations.length > 0) this.violations = options.violations;
    if (options.requestId !== undefined) this.requestId = options.requestId;
  }

  /**
   * Any thrown value as a FleetError: itself; an error of a grpc call (its `grpc-status-details-bin` is read, and where
   * it has none the reason follows from the code); an abort (its reason, else CANCELLED or DEADLINE_EXCEEDED); anything
   * else INTERNAL with the value as `cause`. `unavailable` names the part of the fleet that was called.
   */
  static from(unknown: unknown, unavailable: Reason = "SERVICE_UNAVAILABLE"): FleetError {
    if (unknown instanceof FleetError) return unknown;
    if (isGrpcError(unknown)) return fromGrpc(unknown, unavailable);
    if (unknown instanceof Error && unknown.name === "AbortError") {
      if (unknown.cause instanceof FleetError) return unknown.cause;
      return new FleetError("CANCELLED", "the call was cancelled", { cause: unknown });
    }
    if (unknown instanceof Error && unknown.name === "TimeoutError") {
      return new FleetError("DEADLINE_EXCEEDED", "the deadline passed", { cause: unknown });
    }
    return new FleetError("INTERNAL", "internal error", { cause: unknown });
  }
}

/** What every error of a grpc-js call has; structural, because a process may hold two copies of grpc-js. */
interface GrpcError {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

function isGrpcError(value: unknown): value is Error & GrpcError {
  return (
    value instanceof Error &&
    "code" in value &&
    typeof value.code === "number" &&
    value.code > 0 &&
    value.code <= 16 &&
    "details" in value &&
    typeof value.details === "string" &&
    "metadata" in value &&
    typeof value.metadata === "object" &&
    value.metadata !== null &&
    "get" in value.metadata
  );
}

function fromGrpc(error: Error & GrpcError, unavailable: Reason): FleetError {
  const sent = readStatusDetails(error.metadata);
  if (sent === undefined || sent.domain !== ERROR_DOMAIN) {
    const reason = /larger than max|max message size|size larger than/i.test(error.details)
      ? "MESSAGE_TOO_LARGE"
      : reasonOfCode(error.code, unavailable);
    return new FleetError(reason, error.details === "" ? REASONS[reason].about : error.details, { cause: error });
  }
  // A reason that a newer server invented: its code still says what to do, its name is kept for people.
  const known = isReason(sent.reason);
  return new FleetError(
    known ? sent.reason : reasonOfCode(error.code, unavailable),
    sent.message === "" ? error.details : sent.message,
    {
      metadata: known ? sent.metadata : { ...sent.metadata, reason: sent.reason },
      retryAfterMs: sent.retryAfterMs,
      violations: sent.violations,
      requestId: sent.requestId,
      cause: error,
    },
  );
}
