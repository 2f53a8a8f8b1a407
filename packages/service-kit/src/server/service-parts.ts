/**
 * What a service is made of, and how it is started. Types only.
 */
import type { Registry } from "prom-client";
import type { Logger } from "../logs/create-logger.ts";
import type { ServiceImplementation } from "../rpc/implement.ts";

export interface ServiceParts {
  readonly services: readonly ServiceImplementation[];
  /** undefined when the service can serve, else why not (shown by health and /readyz). Polled about once a second. */
  ready?(): Promise<string | undefined>;
  /** SIGTERM: finish or release background work. Called after new calls are refused and running ones have ended. */
  drain?(): Promise<void>;
  close(): Promise<void>;
}

export interface ServiceEnvironment<C> {
  readonly config: C;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Aborts at SIGTERM, also while `build` still waits for something. Its reason is a FleetError SHUTTING_DOWN. */
  readonly stopping: AbortSignal;
}

export interface RunningService extends AsyncDisposable {
  /** `host:port` of the gRPC listener, the port as it was given out. */
  readonly address: string;
  /** `host:port` of /metrics, /healthz and /readyz; undefined when off. */
  readonly metricsAddress: string | undefined;
  /** Refuses new calls, waits for running ones up to `drainMs`, then ends them. May be called again. */
  drain(): Promise<void>;
  /** Drains and closes everything. May be called again. */
  stop(): Promise<void>;
}
