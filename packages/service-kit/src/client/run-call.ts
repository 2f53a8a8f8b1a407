/**
 * One call of a client, by kind of answer: one message, or a stream of them.
 *
 * Owns sending with backpressure, cancellation in both directions, and the error that a failed call gives.
 */
import type {
  ClientWritableStream,
  Client as GrpcClient,
  CallOptions as GrpcOptions,
  Metadata,
  ServiceError,
} from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { FleetError } from "../errors/fleet-error.ts";
import { REASONS, type Reason } from "../errors/reasons.ts";
import { readStatusDetails } from "../errors/status-details.ts";
import { abortError } from "../rpc/abort-error.ts";
import type { MethodDefinition } from "../rpc/service-definition.ts";
import { isAborted, untilAborted } from "../rpc/until-aborted.ts";

/** A client's connections and the calls that are open on them. */
export interface OpenChannel {
  readonly channel: GrpcClient;
  readonly open: Set<Cancellable>;
  closed: boolean;
}

export interface CallSetup {
  readonly connection: OpenChannel;
  readonly method: MethodDefinition;
  readonly target: string;
  readonly unavailable: Reason;
  readonly metadata: Metadata;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly requestId: string | undefined;
}

/** A single request, or many. */
export type Input =
  | { readonly request: unknown; readonly requests?: never }
  | { readonly requests: AsyncIterable<unknown> | Iterable<unknown>; readonly request?: never };

/** What all four grpc-js calls have. */
export interface Cancellable {
  cancel(): void;
}

/** What calls that stream requests have. */
type Sink = Pick<ClientWritableStream<unknown>, "write" | "end" | "once" | "cancel">;

/** A call that is answered with one message. */
export async function callOne(setup: CallSetup, input: Input): Promise<unknown> {
  if (isAborted(setup.signal)) throw abortError(setup.signal);
  if (setup.connection.closed) throw closed(setup);
  const { method, metadata } = setup;
  const { channel } = setup.connection;
  const sending = new AbortController();
  let failure: unknown;
  let stopWatching = (): void => undefined;
  try {
    return await new Promise<unknown>((resolve, reject) => {
      const answered = (error: ServiceError | null, value?: unknown): void =>
        error === null ? resolve(value) : reject(error);
      const call = isMany(input)
        ? channel.makeClientStreamRequest(
            method.path,
            serializer(method),
            method.responseDeserialize,
            metadata,
            options(setup),
            answered,
          )
        : channel.makeUnaryRequest(
            method.path,
            serializer(method),
            method.responseDeserialize,
            input.request,
            metadata,
            options(setup),
            answered,
          );
      stopWatching = watch(setup, call);
      if (isMany(input) && isSink(call)) {
        sendAll(call, input.requests, sending.signal).catch((error: unknown) => {
          failure ??= error;
          call.cancel();
        });
      }
    });
  } catch (error) {
    throw failureOf(setup, error, failure);
  } finally {
    stopWatching();
    sending.abort();
  }
}

/** A call that is answered with a stream. Leaving the iteration cancels it. */
export async function* callStream(setup: CallSetup, input: Input): AsyncGenerator<unknown> {
  if (isAborted(setup.signal)) throw abortError(setup.signal);
  if (setup.connection.closed) throw closed(setup);
  const { method, metadata } = setup;
  const { channel } = setup.connection;
  const sending = new AbortController();
  let failure: unknown;
  const call = isMany(input)
    ? channel.makeBidiStreamRequest(
        method.path,
        serializer(method),
        method.responseDeserialize,
        metadata,
        options(setup),
      )
    : channel.makeServerStreamRequest(
        method.path,
        serializer(method),
        method.responseDeserialize,
        input.request,
        metadata,
        options(setup),
      );
  // After a cancel grpc-js emits an error that nobody waits for any more.
  call.on("error", () => undefined);
  const stopWatching = watch(setup, call);
  if (isMany(input) && isSink(call)) {
    sendAll(call, input.requests, sending.signal).catch((error: unknown) => {
      failure ??= error;
      call.cancel();
    });
  }
  try {
    yield* call;
  } catch (error) {
    throw failureOf(setup, error, failure);
  } finally {
    stopWatching();
    sending.abort();
    call.cancel();
  }
}

function isMany(input: Input): input is Extract<Input, { requests: unknown }> {
  return "requests" in input;
}

function isSink(call: object): call is Sink {
  return "write" in call && "end" in call;
}

/** The generated serializer takes the method's own message, which `Client<D>` has seen to. */
function serializer(method: MethodDefinition): (value: unknown) => Buffer {
  return method.requestSerialize as (value: unknown) => Buffer;
}

function options({ timeoutMs }: CallSetup): GrpcOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

/** Cancels the call when its signal aborts or its client is closed. */
function watch({ signal, connection }: CallSetup, call: Cancellable): () => void {
  const cancel = (): void => call.cancel();
  connection.open.add(call);
  signal?.addEventListener("abort", cancel, { once: true });
  return () => {
    connection.open.delete(call);
    signal?.removeEventListener("abort", cancel);
  };
}

function closed({ method, target }: CallSetup): FleetError {
  return new FleetError("CANCELLED", `the client of ${target} was closed, so ${method.path.slice(1)} was not answered`);
}

async function sendAll(
  sink: Sink,
  requests: AsyncIterable<unknown> | Iterable<unknown>,
  ended: AbortSignal,
): Promise<void> {
  const iterator = Symbol.asyncIterator in requests ? requests[Symbol.asyncIterator]() : requests[Symbol.iterator]();
  try {
    for (;;) {
      const next = await untilAborted(iterator.next(), ended);
      if (next.done === true) break;
      if (!sink.write(next.value)) {
        await untilAborted(new Promise<void>((resolve) => sink.once("drain", resolve)), ended);
      }
    }
    sink.end();
  } catch (error) {
    // Not awaited: a generator that is busy closes itself after what it waits for.
    Promise.resolve(iterator.return?.()).catch(() => undefined);
    // Once the answer is there, nobody waits for the rest of the requests.
    if (!ended.aborted) throw error;
  }
}

/** `failure` is what stopped the sending of requests: an error of the caller's own iterable, given back as it is. */
function failureOf(setup: CallSetup, error: unknown, failure: unknown): unknown {
  if (isAborted(setup.signal) && isCancelled(error)) return abortError(setup.signal);
  if (failure !== undefined) return failure;
  if (setup.connection.closed && isCancelled(error)) return closed(setup);
  const { method, target, unavailable, timeoutMs, requestId } = setup;
  if (!isServiceError(error) || readStatusDetails(error.metadata) !== undefined)
    return FleetError.from(error, unavailable);
  // A status that grpc itself made: its text is about channels and streams, ours about who did not do what.
  const name = method.path.slice(1);
  if (error.code === status.DEADLINE_EXCEEDED) {
    const within = timeoutMs === undefined ? "in time" : `within ${Math.round(timeoutMs)} ms`;
    return new FleetError("DEADLINE_EXCEEDED", `${name} at ${target} did not answer ${within}`, {
      cause: error,
      requestId,
    });
  }
  if (error.code === status.UNAVAILABLE) {
    const about = REASONS[unavailable].about.replace(/\.$/, "");
    return new FleetError(unavailable, `${about} (${name} at ${target}: ${error.details})`, {
      cause: error,
      requestId,
    });
  }
  return FleetError.from(error, unavailable);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "metadata" in error && "details" in error;
}

function isCancelled(error: unknown): boolean {
  // An iteration that was cut may also end in the stream's own "premature close".
  return !isServiceError(error) || error.code === status.CANCELLED;
}
