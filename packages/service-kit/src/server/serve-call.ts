/**
 * Runs one handler on one call, for all four kinds of calls.
 *
 * On the wire the kinds do not differ, so grpc-js is told that every method streams both ways: its handler then starts
 * with the headers, before any body is read, and messages arrive as bytes. Owns decoding and encoding, the number of
 * messages a kind allows, backpressure, and closing the handler's iterable. Ending the call early is CallRecord's.
 */
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { FleetError } from "../errors/fleet-error.ts";
import type { BoundMethod } from "../rpc/implement.ts";
import { MESSAGE_BYTES_MOST } from "../rpc/limits.ts";
import { untilAborted } from "../rpc/until-aborted.ts";
import type { AdmittedCall } from "./admission.ts";

export type ByteCall = ServerDuplexStream<Buffer, Buffer>;

/** Never rejects: every outcome becomes the call's status. */
export async function serveCall(method: BoundMethod, call: ByteCall, admitted: AdmittedCall): Promise<void> {
  const { record, context } = admitted;
  const { signal } = record;
  try {
    const streamsIn = method.kind === "client_stream" || method.kind === "bidi_stream";
    const input = streamsIn ? requestsOf(method, call, signal) : await singleRequest(method, call, signal);
    const output = method.run(input, context);
    if (method.kind === "server_stream" || method.kind === "bidi_stream") {
      await writeAll(method, call, asIterable(output, method.path), signal);
    } else {
      await write(method, call, await untilAborted(Promise.resolve(output), signal), signal);
    }
    record.handlerDone();
    call.end();
  } catch (thrown) {
    // Once the call has ended, its handler's outcome is nobody's: it was told through the signal.
    if (record.ended) return;
    const wire = record.wire(FleetError.from(thrown));
    record.handlerDone();
    // Messages that were accepted before go out first; grpc-js makes the status of what is emitted.
    call.emit("error", wire);
  }
}

async function singleRequest(method: BoundMethod, call: ByteCall, signal: AbortSignal): Promise<unknown> {
  let request: { readonly message: unknown } | undefined;
  for await (const message of requestsOf(method, call, signal)) {
    if (request !== undefined) {
      throw new FleetError("MALFORMED_MESSAGE", `${method.path.slice(1)} takes one request message, and more came`);
    }
    request = { message };
  }
  if (request === undefined) {
    throw new FleetError("MALFORMED_MESSAGE", `${method.path.slice(1)} takes one request message, and none came`);
  }
  return request.message;
}

async function* requestsOf(method: BoundMethod, call: ByteCall, signal: AbortSignal): AsyncGenerator<unknown> {
  // A handler that stops reading must still be able to answer, so the stream outlives its iterator.
  const pieces = call.iterator({ destroyOnReturn: false });
  try {
    for await (const bytes of pieces) yield decode(method, bytes);
  } catch (error) {
    // grpc-js destroys the stream when the call ends early; the signal knows why.
    throw signal.aborted ? signal.reason : error;
  }
}

function decode(method: BoundMethod, bytes: Buffer): unknown {
  try {
    return method.decode(bytes);
  } catch (cause) {
    throw new FleetError(
      "MALFORMED_MESSAGE",
      `the request's ${bytes.length} bytes are not the message that ${method.path.slice(1)} takes; are both sides of one version?`,
      { cause },
    );
  }
}

async function writeAll(
  method: BoundMethod,
  call: ByteCall,
  responses: AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = responses[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await untilAborted(iterator.next(), signal);
      if (next.done === true) return;
      await write(method, call, next.value, signal);
    }
  } catch (error) {
    // Not awaited: a generator that is busy closes itself after what it waits for.
    iterator.return?.().then(undefined, () => undefined);
    throw error;
  }
}

async function write(method: BoundMethod, call: ByteCall, response: unknown, signal: AbortSignal): Promise<void> {
  const bytes = method.encode(response);
  if (bytes.length > MESSAGE_BYTES_MOST) {
    throw new FleetError(
      "MESSAGE_TOO_LARGE",
      `the response of ${bytes.length} bytes is larger than the ${MESSAGE_BYTES_MOST} that a message may have; ask for less at once`,
    );
  }
  signal.throwIfAborted();
  if (call.write(bytes)) return;
  let drained = (): void => undefined;
  const room = new Promise<void>((resolve) => {
    drained = resolve;
    call.once("drain", drained);
  });
  try {
    await untilAborted(room, signal);
  } finally {
    call.off("drain", drained);
  }
}

function asIterable(output: unknown, path: string): AsyncIterable<unknown> {
  if (typeof output === "object" && output !== null && Symbol.asyncIterator in output) {
    // `Symbol.asyncIterator in` is all that can be asked of a value at run time.
    return output as AsyncIterable<unknown>;
  }
  throw new TypeError(`the handler of ${path} did not return an async iterable`);
}
