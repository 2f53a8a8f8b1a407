/**
 * The door of a server: every call, ours and health's, passes it before any of its body is read.
 *
 * Owns request ids, authentication, the refusal of calls while stopping, and the set of calls that are open. Its
 * interceptor ties each call to a CallRecord. It knows nothing of handlers.
 */
import { randomUUID } from "node:crypto";
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from "@grpc/grpc-js";
import type { Authenticator } from "../auth/authenticator.ts";
import { FleetError } from "../errors/fleet-error.ts";
import type { Logger } from "../logs/create-logger.ts";
import type { CallContext } from "../rpc/call-context.ts";
import { HEADER } from "../rpc/limits.ts";
import { type CallKind, callKind, splitPath } from "../rpc/service-definition.ts";
import type { Tracer } from "../telemetry/tracer.ts";
import type { CallMetrics } from "./call-metrics.ts";
import { CallRecord, type SentStatus } from "./call-record.ts";

/** Printable ASCII without spaces: what a header, a log and a SQL parameter carry unharmed. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

export interface AdmittedCall {
  readonly record: CallRecord;
  readonly context: CallContext;
}

export interface AdmissionOptions {
  readonly log: Logger;
  readonly metrics: CallMetrics;
  readonly authenticate: Authenticator;
  readonly tracer: Tracer | undefined;
  /** Our methods' kinds by path: to grpc-js all of them stream both ways. */
  readonly kinds: ReadonlyMap<string, CallKind>;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #open = new Set<CallRecord>();
  /** grpc-js hands the handler the very metadata object that the interceptor passed on. */
  readonly #admitted = new WeakMap<Metadata, AdmittedCall>();
  #refusal: FleetError | undefined;
  #waiting: (() => void)[] = [];

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  readonly interceptor: ServerInterceptor = (method, call) => {
    const { log, metrics, authenticate, tracer, kinds } = this.#options;
    const path = method.path;
    const deadline = call.getDeadline();
    const deadlineMs = deadline instanceof Date ? deadline.getTime() : deadline;
    const plain = { path, ...splitPath(path), kind: kinds.get(path) ?? callKind(method), log };
    let record: CallRecord | undefined;

    const sendStatus = observeStatuses(call, (sent) => record?.finish(sent) ?? sent);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const requestId = requestIdOf(metadata);
            const sentTrace = stringOf(metadata, HEADER.traceparent);
            const span = tracer?.start(path, sentTrace);
            const admitted = new CallRecord(
              {
                ...plain,
                requestId,
                deadlineMs: Number.isFinite(deadlineMs) ? deadlineMs : undefined,
                span,
                traceparent: span?.traceparent ?? sentTrace,
              },
              metrics,
              sendStatus,
              () => this.#ended(admitted),
            );
            record = admitted;
            this.#open.add(admitted);
            const open = plain.service.startsWith("grpc.");
            try {
              if (this.#refusal !== undefined && !open) throw this.#refusal;
              const tenant = open ? "" : authenticate(metadata);
              this.#admitted.set(metadata, { record: admitted, context: admitted.admitted(tenant) });
            } catch (error) {
              admitted.end(FleetError.from(error));
              return;
            }
            pass(metadata);
          },
          onCancel: () => record?.gone(),
        }),
      sendMetadata: (metadata, next) => {
        if (record !== undefined) metadata.set(HEADER.requestId, record.facts.requestId);
        next(metadata);
      },
    });
  };

  /** The call whose handler got this metadata object. */
  of(metadata: Metadata): AdmittedCall | undefined {
    return this.#admitted.get(metadata);
  }

  /** From now on new calls fail with `error`; health and reflection go on. */
  refuse(error: FleetError): void {
    this.#refusal = error;
  }

  /** Resolves once no call of ours is open. Health's watchers do not count. */
  idle(): Promise<void> {
    if (!this.#busy()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Ends every open call with `error`, health's watchers included. */
  endAll(error: FleetError): void {
    for (const record of [...this.#open]) record.end(error);
  }

  #busy(): boolean {
    for (const record of this.#open) if (!record.facts.service.startsWith("grpc.")) return true;
    return false;
  }

  #ended(record: CallRecord): void {
    this.#open.delete(record);
    if (this.#waiting.length === 0 || this.#busy()) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/**
 * Lets `rewrite` see every status of the call. grpc-js ends calls by itself (deadline, oversized message) by calling
 * `sendStatus` on its innermost call, below all interceptors; only there is nothing missed.
 */
function observeStatuses(
  call: ServerInterceptingCallInterface,
  rewrite: (sent: SentStatus) => SentStatus,
): (sent: SentStatus) => void {
  const send = call.sendStatus.bind(call);
  call.sendStatus = (sent) => send(rewrite(sent));
  return (sent) => call.sendStatus(sent);
}

function requestIdOf(metadata: Metadata): string {
  const sent = stringOf(metadata, HEADER.requestId);
  return sent !== undefined && REQUEST_ID.test(sent) ? sent : randomUUID();
}

function stringOf(metadata: Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return typeof value === "string" ? value : undefined;
}
