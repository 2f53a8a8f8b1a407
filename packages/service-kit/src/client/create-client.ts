/**
 * A typed client of one service, for all four kinds of calls.
 *
 * Owns the channel and its options, what a call sends along (token, tenant, request id, deadline, trace), cancellation,
 * and the translation of every failure into a FleetError that says who did not do what. It refuses to retry: see
 * `retrying`.
 */
import { Client as GrpcClient } from "@grpc/grpc-js";
import { isLoopback, parseAddress } from "../config/address.ts";
import type { CallOptions } from "../rpc/call-context.ts";
import { MESSAGE_BYTES_MOST } from "../rpc/limits.ts";
import { quietGrpc } from "../rpc/quiet-grpc.ts";
import { callKind, type MethodDefinition, type ServiceDefinition } from "../rpc/service-definition.ts";
import { callMetadata, channelCredentials } from "./channel-credentials.ts";
import type { Client, ClientOptions } from "./client-types.ts";
import { type CallSetup, callOne, callStream, type OpenChannel } from "./run-call.ts";

const CHANNEL_OPTIONS = {
  "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  "grpc.max_receive_message_length": MESSAGE_BYTES_MOST,
  "grpc.max_send_message_length": MESSAGE_BYTES_MOST,
  // Bytes a stream may hold unread before its sender has to wait.
  "grpc-node.flow_control_window": 1024 * 1024,
  // A service that restarts is back in a second or two; the default of up to two minutes is for the wide world.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2_000,
  "grpc.dns_min_time_between_resolutions_ms": 5_000,
  "grpc.enable_channelz": 0,
} as const;

/**
 * A machine that vanished without a word is found within a minute. A process of this machine can not vanish so: the
 * kernel closes its connections, and gRPC servers in other languages hang up on a silent call (after 200 s, measured
 * with Python's) when they are pinged more often than every five minutes.
 */
const KEEPALIVE_OPTIONS = { "grpc.keepalive_time_ms": 40_000, "grpc.keepalive_timeout_ms": 20_000 } as const;

export function createClient<D extends ServiceDefinition>(definition: D, options: ClientOptions): Client<D> {
  quietGrpc();
  const credentials = channelCredentials(options.tls);
  const channel = new GrpcClient(options.target, credentials, {
    ...CHANNEL_OPTIONS,
    ...(isLoopback(parseAddress(options.target)?.host ?? "") ? {} : KEEPALIVE_OPTIONS),
    ...(options.tls?.serverName === undefined ? {} : { "grpc.ssl_target_name_override": options.tls.serverName }),
  });
  const connection: OpenChannel = { channel, open: new Set(), closed: false };
  const methods = Object.fromEntries(
    Object.entries(definition).map(([key, method]) => [key, bind(connection, method, options)]),
  );
  const close = (): void => {
    connection.closed = true;
    for (const call of connection.open) call.cancel();
    channel.close();
  };
  // `bind` gives each method the shape that its definition asks for; a loop over the keys can not show the compiler.
  return { ...methods, close } as unknown as Client<D>;
}

function bind(connection: OpenChannel, method: MethodDefinition, options: ClientOptions): unknown {
  const setup = (call: CallOptions | undefined): CallSetup => {
    const timeoutMs = call?.timeoutMs ?? options.timeoutMs;
    return {
      connection,
      method,
      target: options.target,
      unavailable: options.unavailable,
      metadata: callMetadata(options.token, call),
      timeoutMs: timeoutMs === undefined || !Number.isFinite(timeoutMs) ? undefined : timeoutMs,
      signal: call?.signal,
      requestId: call?.requestId,
    };
  };
  switch (callKind(method)) {
    case "unary":
      return (request: unknown, call?: CallOptions) => callOne(setup(call), { request });
    case "client_stream":
      return (requests: Messages, call?: CallOptions) => callOne(setup(call), { requests });
    case "server_stream":
      return (request: unknown, call?: CallOptions) => lazily(() => callStream(setup(call), { request }));
    case "bidi_stream":
      return (requests: Messages, call?: CallOptions) => lazily(() => callStream(setup(call), { requests }));
  }
}

type Messages = AsyncIterable<unknown> | Iterable<unknown>;

/** The call starts when its iteration does, so that one which nobody reads never holds anything. */
function lazily(start: () => AsyncGenerator<unknown>): AsyncIterable<unknown> {
  return { [Symbol.asyncIterator]: start };
}
