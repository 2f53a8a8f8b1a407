/**
 * What a service writes: one function a method, typed by the definition. Types only.
 */
import type { CallContext } from "./call-context.ts";
import type { RequestOf, ResponseOf } from "./service-definition.ts";

/**
 * The handler of one method.
 *
 * A handler throws (or rejects with) a `FleetError` for the caller; anything else becomes INTERNAL and is logged with
 * its cause. When `context.signal` aborts, the call is answered at once and the handler's outcome is dropped: pass the
 * signal on so that its work ends too. A returned iterable is closed (`return()`) when the call ends early.
 */
export type Handler<M> = M extends { requestStream: false; responseStream: false }
  ? (request: RequestOf<M>, context: CallContext) => Promise<ResponseOf<M>>
  : M extends { requestStream: false; responseStream: true }
    ? (request: RequestOf<M>, context: CallContext) => AsyncIterable<ResponseOf<M>>
    : M extends { requestStream: true; responseStream: false }
      ? (requests: AsyncIterable<RequestOf<M>>, context: CallContext) => Promise<ResponseOf<M>>
      : M extends { requestStream: true; responseStream: true }
        ? (requests: AsyncIterable<RequestOf<M>>, context: CallContext) => AsyncIterable<ResponseOf<M>>
        : never;

/** Every method's handler by its camelCase name. */
export type Handlers<D> = { readonly [K in keyof D]: Handler<D[K]> };
