/**
 * What `createClient` takes and gives. Types only.
 */
import type { Reason } from "../errors/reasons.ts";
import type { CallOptions } from "../rpc/call-context.ts";
import type { RequestOf, ResponseOf } from "../rpc/service-definition.ts";

/** PEM data: a string is the path of a file, bytes are the PEM itself. */
export type Pem = string | Uint8Array;

export interface TlsOptions {
  /** Authorities the server is checked against; default: those that Node trusts. */
  readonly ca?: Pem;
  /** This side's certificate chain, for servers that ask for one. */
  readonly cert?: Pem;
  /** Its private key. */
  readonly key?: Pem;
  /** The name in the server's certificate, where it is not the target's host. */
  readonly serverName?: string;
}

export interface ClientOptions {
  /** `host:port` (all its addresses are used in turn), or `ipv4:1.2.3.4:50,5.6.7.8:50`. */
  readonly target: string;
  /** Bearer token. */
  readonly token?: string;
  /** Given (even empty): TLS. Absent: plain text. */
  readonly tls?: TlsOptions;
  /** Reason of the error when the peer does not answer, such as GATEWAY_UNAVAILABLE. */
  readonly unavailable: Reason;
  /** Deadline of calls that bring none, in milliseconds; default: none. */
  readonly timeoutMs?: number;
}

/** One method of a client. Errors are FleetErrors. Leaving an iteration cancels the call; none starts before it is iterated. */
export type ClientMethod<M> = M extends { requestStream: false; responseStream: false }
  ? (request: RequestOf<M>, call?: CallOptions) => Promise<ResponseOf<M>>
  : M extends { requestStream: false; responseStream: true }
    ? (request: RequestOf<M>, call?: CallOptions) => AsyncIterable<ResponseOf<M>>
    : M extends { requestStream: true; responseStream: false }
      ? (requests: AsyncIterable<RequestOf<M>> | Iterable<RequestOf<M>>, call?: CallOptions) => Promise<ResponseOf<M>>
      : M extends { requestStream: true; responseStream: true }
        ? (
            requests: AsyncIterable<RequestOf<M>> | Iterable<RequestOf<M>>,
            call?: CallOptions,
          ) => AsyncIterable<ResponseOf<M>>
        : never;

/** A client of one service, typed by its definition. */
export type Client<D> = { readonly [K in keyof D]: ClientMethod<D[K]> } & {
  /** Ends the connections; calls in flight are cancelled. */
  close(): void;
};
