/**
 * What a handler knows of its call beside the request, and what of it goes along when the handler calls another service.
 */
import type { Logger } from "../logs/create-logger.ts";

export interface CallContext {
  /** `/promptpo.llm.v1.LlmGateway/Complete`. */
  readonly method: string;
  /** Who pays and owns; `default` while no tokens are configured. */
  readonly tenant: string;
  /** The caller's `x-request-id`, else a made one. It is sent back in the response's metadata and in errors. */
  readonly requestId: string;
  /** Aborts when the client is gone, the deadline passed or the service stops by force; its reason is a FleetError. */
  readonly signal: AbortSignal;
  /** The caller's deadline in epoch milliseconds; undefined when it set none. */
  readonly deadlineMs: number | undefined;
  /** Every line has method, tenant and request id. */
  readonly log: Logger;
  /** W3C trace context of this call's span; undefined while tracing is off and the caller sent none. */
  readonly traceparent?: string | undefined;
}

export interface CallOptions {
  /** Aborting it cancels the call; it then fails with the signal's reason where that is a FleetError, else CANCELLED. */
  readonly signal?: AbortSignal;
  /** Milliseconds until DEADLINE_EXCEEDED; default is the client's own; `Infinity` is none. */
  readonly timeoutMs?: number;
  /** For a service that shows the token of the tenant `*`: on whose behalf it calls. */
  readonly tenant?: string;
  /** Sent as `x-request-id`, found in the logs of both sides. */
  readonly requestId?: string;
  /** W3C trace context that the call belongs to. */
  readonly traceparent?: string;
}

/** The options with which a handler calls on: what is left of the deadline, cancellation, tenant, request id, trace. */
export function callOptionsOf(context: CallContext): CallOptions {
  return {
    signal: context.signal,
    tenant: context.tenant,
    requestId: context.requestId,
    // A deadline that passed this moment is still one: 1 ms fails it, 0 would mean "no time at all" to some and "none" to others.
    ...(context.deadlineMs === undefined ? {} : { timeoutMs: Math.max(1, context.deadlineMs - Date.now()) }),
    ...(context.traceparent === undefined ? {} : { traceparent: context.traceparent }),
  };
}
