/**
 * Trying again, by the rules of the reason table.
 *
 * Only errors whose reason is retryable are tried again, after a pause that grows, is jittered, and is never shorter
 * than the server asked for. The call must be idempotent: carry a request id, or only read.
 */
import { FleetError } from "../errors/fleet-error.ts";
import { abortError } from "../rpc/abort-error.ts";
import { isAborted, pause } from "../rpc/until-aborted.ts";

export interface RetryOptions {
  /** Ends the waiting; the error is then the signal's reason, as a FleetError. */
  readonly signal?: AbortSignal;
  /** Milliseconds for all attempts together; default: none. When the next pause does not fit, the last error is thrown. */
  readonly timeoutMs?: number;
  /**
   * Milliseconds of pauses at most, the attempts themselves not counted: how long to wait for a peer that is away,
   * however long a call may take; default: no limit.
   */
  readonly patienceMs?: number;
  /** Attempts at most, the first included; default: as many as fit. */
  readonly attempts?: number;
  /** First pause in milliseconds, doubled each time; default 100. */
  readonly firstPauseMs?: number;
  /** Longest pause in milliseconds, unless the server asks for more; default 5000. */
  readonly longestPauseMs?: number;
  /** Which errors are tried again; default: those whose reason is retryable. */
  readonly retryable?: (error: FleetError) => boolean;
  /** Told before each pause. */
  readonly onRetry?: (error: FleetError, pauseMs: number, attempt: number) => void;
  /** 0..1; default Math.random. */
  readonly random?: () => number;
}

/** `call` gets the number of the attempt, from 1. What it throws is thrown on as a FleetError. */
export async function retrying<T>(call: (attempt: number) => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const {
    signal,
    timeoutMs = Number.POSITIVE_INFINITY,
    patienceMs = Number.POSITIVE_INFINITY,
    attempts = Number.POSITIVE_INFINITY,
    firstPauseMs = 100,
    longestPauseMs = 5_000,
    retryable = (error) => error.retryable,
    onRetry,
    random = Math.random,
  } = options;
  const end = performance.now() + timeoutMs;
  let paused = 0;
  for (let attempt = 1; ; attempt++) {
    if (isAborted(signal)) throw abortError(signal);
    try {
      return await call(attempt);
    } catch (thrown) {
      const error = FleetError.from(thrown);
      if (attempt >= attempts || !retryable(error) || isAborted(signal)) throw error;
      const backoff = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1));
      // Half of it is fixed, half random: callers that failed together do not come back together.
      const pauseMs = Math.max(error.retryAfterMs ?? 0, backoff * (0.5 + random() / 2));
      paused += pauseMs;
      if (paused > patienceMs || performance.now() + pauseMs >= end) throw error;
      onRetry?.(error, pauseMs, attempt);
      await pause(pauseMs, signal);
    }
  }
}
