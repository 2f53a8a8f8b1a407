/**
 * One call from its headers to its status.
 *
 * Owns the call's AbortSignal and the one moment at which it ends, whoever ends it: the handler, the client, the
 * deadline, grpc itself (an oversized message) or a forced stop. Every status leaves through `finish`, which gives it
 * details and request id, counts it and logs it. It refuses to end a call twice.
 */
import { type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import { FleetError } from "../errors/fleet-error.ts";
import { REASONS } from "../errors/reasons.ts";
import { readStatusDetails, toWire } from "../errors/status-details.ts";
import type { Logger } from "../logs/create-logger.ts";
import type { CallContext } from "../rpc/call-context.ts";
import { HEADER } from "../rpc/limits.ts";
import type { CallSpan } from "../telemetry/tracer.ts";
import type { CallMetrics, MeasuredCall } from "./call-metrics.ts";

/** A status as grpc-js takes it. */
export type SentStatus = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

/** A deadline counts as passed this many milliseconds early: the client's clock ends the call before ours does. */
const DEADLINE_SLACK_MS = 20;

export interface CallFacts extends MeasuredCall {
  readonly path: string;
  readonly requestId: string;
  readonly deadlineMs: number | undefined;
  readonly log: Logger;
  readonly span: CallSpan | undefined;
  readonly traceparent: string | undefined;
}

export class CallRecord {
  readonly facts: CallFacts;
  readonly signal: AbortSignal;
  readonly #metrics: CallMetrics;
  readonly #controller = new AbortController();
  readonly #startedAt = performance.now();
  #send: (wire: SentStatus) => void;
  #onEnd: () => void;
  #tenant: string | undefined;
  #log: Logger;
  #error: FleetError | undefined;
  #ended = false;
  #handlerDone = false;

  constructor(facts: CallFacts, metrics: CallMetrics, send: (wire: SentStatus) => void, onEnd: () => void) {
    this.facts = facts;
    this.signal = this.#controller.signal;
    this.#metrics = metrics;
    this.#send = send;
    this.#onEnd = onEnd;
    this.#log = facts.log;
    metrics.started(facts);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** What the handler gets. */
  admitted(tenant: string): CallContext {
    this.#tenant = tenant;
    const { path, requestId, deadlineMs, traceparent } = this.facts;
    this.#log = this.facts.log.child({ method: path, tenant, requestId });
    return { method: path, tenant, requestId, signal: this.signal, deadlineMs, log: this.#log, traceparent };
  }

  /** The handler has its outcome: the signal, which it may have handed on, does not abort any more. */
  handlerDone(): void {
    this.#handlerDone = true;
  }

  /** The error as the trailers of this call; the log line of its end will tell its cause. */
  wire(error: FleetError): SentStatus {
    this.#error = error;
    return toWire(error, this.facts.requestId);
  }

  /** Ends the call now, without waiting for its handler. */
  end(error: FleetError): void {
    if (!this.#ended) this.#send(this.wire(error));
  }

  /** The client's stream has closed before any status was sent. */
  gone(): void {
    if (this.#ended) return;
    const { deadlineMs } = this.facts;
    const late = deadlineMs !== undefined && Date.now() >= deadlineMs - DEADLINE_SLACK_MS;
    this.#finished(
      late ? deadlinePassed() : new FleetError("CANCELLED", "the client cancelled the call or went away"),
      late ? status.DEADLINE_EXCEEDED : status.CANCELLED,
    );
  }

  /** What is sent instead of `sent`: the same with details and request id. */
  finish(sent: SentStatus): SentStatus {
    if (this.#ended) return sent;
    if (sent.code === status.OK) {
      this.#finished(undefined, status.OK);
      return sent;
    }
    // Health and reflection speak in plain codes, and their clients expect no more.
    if (this.facts.service.startsWith("grpc.")) {
      this.#finished(new FleetError("CANCELLED", sent.details), sent.code);
      return sent;
    }
    const detailed = sent.metadata != null && readStatusDetails(sent.metadata) !== undefined;
    const error = detailed ? this.#error : ofGrpc(sent);
    const wire = detailed || error === undefined ? sent : toWire(error, this.facts.requestId);
    wire.metadata?.set(HEADER.requestId, this.facts.requestId);
    this.#finished(error ?? FleetError.from(sent), wire.code);
    return wire;
  }

  #finished(error: FleetError | undefined, code: status): void {
    this.#ended = true;
    const seconds = (performance.now() - this.#startedAt) / 1000;
    this.#metrics.handled(this.facts, code, seconds);
    this.facts.span?.end(code, error);
    this.#write(error, code, seconds);
    if (error !== undefined && !this.#handlerDone) this.#controller.abort(error);
    this.#onEnd();
  }

  #write(error: FleetError | undefined, code: status, seconds: number): void {
    const line = { code: status[code], ms: Math.round(seconds * 1000) };
    // A call that never got past the door has no child logger yet.
    const log =
      this.#tenant === undefined
        ? this.#log.child({ method: this.facts.path, requestId: this.facts.requestId })
        : this.#log;
    if (error === undefined || this.facts.service.startsWith("grpc.")) log.debug(line, "call ended");
    else if (code === status.CANCELLED) log.debug(line, "call cancelled");
    else if (code === status.INTERNAL) {
      log.error({ ...line, reason: error.reason, err: error.cause ?? error }, "call failed: a fault of ours");
    } else log.info({ ...line, reason: error.reason, problem: error.message }, "call failed");
  }
}

/** A status that grpc-js made by itself, without details. */
function ofGrpc(sent: SentStatus): FleetError {
  if (sent.code === status.DEADLINE_EXCEEDED) return deadlinePassed();
  if (sent.code === status.RESOURCE_EXHAUSTED) {
    return new FleetError("MESSAGE_TOO_LARGE", `the request is too large: ${sent.details}; send less at once`);
  }
  if (sent.code === status.UNIMPLEMENTED) return new FleetError("UNIMPLEMENTED", sent.details);
  return new FleetError("INTERNAL", REASONS.INTERNAL.about, { cause: new Error(`grpc: ${sent.details}`) });
}

function deadlinePassed(): FleetError {
  return new FleetError("DEADLINE_EXCEEDED", "the caller's deadline passed before the work was done");
}
