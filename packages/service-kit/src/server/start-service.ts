/**
 * A service within this process: listeners, health, reflection, metrics, and a stop that drains.
 *
 * Owns every listener it opens and the order of stopping. Signals and exit codes are run-service's.
 */
import { Server } from "@grpc/grpc-js";
import { Registry } from "prom-client";
import { createAuthenticator } from "../auth/authenticator.ts";
import { tokensOf } from "../auth/tokens-of.ts";
import { formatAddress, isLoopback, parseAddress } from "../config/address.ts";
import type { BaseConfig } from "../config/base-config.ts";
import { FleetError } from "../errors/fleet-error.ts";
import { type Logger, silentLogger } from "../logs/create-logger.ts";
import type { ServiceImplementation } from "../rpc/implement.ts";
import { MESSAGE_BYTES_MOST } from "../rpc/limits.ts";
import { quietGrpc } from "../rpc/quiet-grpc.ts";
import { pause } from "../rpc/until-aborted.ts";
import { startTracing } from "../telemetry/tracing.ts";
import { Admission } from "./admission.ts";
import { createCallMetrics } from "./call-metrics.ts";
import { Health } from "./health.ts";
import { type HttpListener, startHttpListener } from "./http-listener.ts";
import { addReflection } from "./reflection.ts";
import { type ByteCall, serveCall } from "./serve-call.ts";
import { hasTls, serverCredentials } from "./server-credentials.ts";
import type { RunningService, ServiceParts } from "./service-parts.ts";

/** How long statuses get to leave after the last call was ended by force. */
const FLUSH_MS = 1_000;

const CHANNEL_OPTIONS = {
  "grpc.max_receive_message_length": MESSAGE_BYTES_MOST,
  // Our own encoder has checked; grpc-js would answer without saying what to do.
  "grpc.max_send_message_length": -1,
  // A dead peer is found within a minute, so that its calls are cancelled and their work ends.
  "grpc.keepalive_time_ms": 40_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.enable_channelz": 0,
} as const;

export interface StartOptions {
  readonly name: string;
  readonly config: BaseConfig;
  readonly log?: Logger;
  readonly metrics?: Registry;
  readonly parts: ServiceParts;
}

export async function startService(options: StartOptions): Promise<RunningService> {
  quietGrpc();
  const { name, config, parts } = options;
  const log = options.log ?? silentLogger();
  const metrics = options.metrics ?? new Registry();
  const tracer = await startTracing(name, process.env);
  const tokens = tokensOf(config);
  const credentials = serverCredentials(config);
  const admission = new Admission({
    log,
    metrics: createCallMetrics(metrics),
    authenticate: createAuthenticator(tokens),
    tracer,
    kinds: new Map(parts.services.flatMap(({ methods }) => methods.map(({ path, kind }) => [path, kind] as const))),
  });
  const names = parts.services.map((service) => service.name);
  const health = new Health({ names, ready: parts.ready?.bind(parts), log });
  const server = new Server({ ...CHANNEL_OPTIONS, interceptors: [admission.interceptor] });
  for (const service of parts.services) register(server, service, admission);
  health.addToServer(server);
  addReflection(server, names);

  let http: HttpListener | undefined;
  let address: string;
  try {
    if (config.metricsListen !== "off") {
      http = await startHttpListener({ listen: config.metricsListen, metrics, problem: () => health.problem });
    }
    await health.start();
    address = await bind(server, config.listen, credentials);
  } catch (error) {
    health.stop("the service did not start");
    server.forceShutdown();
    await http?.close();
    throw error;
  }
  if (!isLoopback(parseAddress(address)?.host ?? "") && (tokens === undefined || !hasTls(config))) {
    const missing = [tokens === undefined ? "tokens" : "", hasTls(config) ? "" : "TLS"].filter((word) => word !== "");
    log.warn(
      { address },
      `listening beyond this machine without ${missing.join(" and ")}: anybody who reaches this address may call; ` +
        "set PROMPTPO_TOKENS and PROMPTPO_TLS_CERT/PROMPTPO_TLS_KEY, or see that the network keeps others away",
    );
  }
  log.info({ address, metricsAddress: http?.address, services: names }, "serving");

  let draining: Promise<void> | undefined;
  const drain = (): Promise<void> => {
    draining ??= drainServer(server, admission, health, config.drainMs, log).then(() => parts.drain?.());
    return draining;
  };
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      // Whatever fails on the way, the rest is still closed; the first failure is told.
      const failures: unknown[] = [];
      for (const step of [drain, () => parts.close(), () => http?.close(), () => tracer?.close()]) {
        try {
          await step();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
      log.info("stopped");
    })();
    return stopping;
  };
  return { address, metricsAddress: http?.address, drain, stop, [Symbol.asyncDispose]: stop };
}

function register(server: Server, service: ServiceImplementation, admission: Admission): void {
  const bytes = (value: Buffer): Buffer => value;
  for (const method of service.methods) {
    const handle = (call: ByteCall): void => {
      const admitted = admission.of(call.metadata);
      if (admitted !== undefined) void serveCall(method, call, admitted);
    };
    if (!server.register(method.path, handle, bytes, bytes, "bidi")) {
      throw new TypeError(`two services offer ${method.path}`);
    }
  }
}

async function bind(
  server: Server,
  listen: string,
  credentials: ReturnType<typeof serverCredentials>,
): Promise<string> {
  const wanted = parseAddress(listen);
  if (wanted === undefined) throw new TypeError(`not host:port: ${listen}`);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return formatAddress({ host: wanted.host, port });
}

async function drainServer(
  server: Server,
  admission: Admission,
  health: Health,
  drainMs: number,
  log: Logger,
): Promise<void> {
  const leaving = new FleetError(
    "SHUTTING_DOWN",
    "the service is shutting down; try again, another replica or the restarted one will answer",
  );
  health.stop("the service is shutting down");
  admission.refuse(leaving);
  // No new connections; open ones get a GOAWAY, so that clients turn to other replicas.
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  const idle = admission.idle().then(() => true);
  if (!(await within(drainMs, idle))) log.warn({ drainMs }, "calls did not end in time and are cut off");
  admission.endAll(leaving);
  await within(FLUSH_MS, closed);
  server.forceShutdown();
}

/** Whether the promise resolved within `ms`. */
async function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const stop = new AbortController();
  const late = pause(ms, stop.signal).then(
    () => false,
    () => false,
  );
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    stop.abort();
  }
}
