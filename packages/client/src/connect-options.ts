/**
 * Where the fleet is and who asks: from options, and what they leave out from the environment.
 */
import type { TlsOptions } from "@promptpo/service-kit";

export interface ConnectOptions {
  /** `host:port` of the llm-gateway; default `PROMPTPO_GATEWAY`. Needed only by calls to it, as the others are. */
  readonly gateway?: string | undefined;
  /** `host:port` of the rollout service; default `PROMPTPO_ROLLOUT`. */
  readonly rollout?: string | undefined;
  /** `host:port` of the optimizer; default `PROMPTPO_OPTIMIZER`. */
  readonly optimizer?: string | undefined;
  /** Bearer token; default `PROMPTPO_TOKEN`; a fleet on loopback needs none. */
  readonly token?: string | undefined;
  /** TLS; default: on when `PROMPTPO_TLS_CA` names a file, with `PROMPTPO_TLS_CERT` and `PROMPTPO_TLS_KEY` for mutual TLS. */
  readonly tls?: TlsOptions | undefined;
  /** Deadline of short calls in milliseconds, all attempts together; default 30 000. Model calls and evaluations have none. */
  readonly timeoutMs?: number | undefined;
  /** How long a call is tried again while the fleet does not answer, in milliseconds; default 10 000; 0 tries once. */
  readonly patienceMs?: number | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The same with everything decided. */
export interface Connection {
  readonly targets: { readonly gateway?: string; readonly rollout?: string; readonly optimizer?: string };
  readonly token?: string;
  readonly tls?: TlsOptions;
  readonly timeoutMs: number;
  readonly patienceMs: number;
}

const TIMEOUT_MS = 30_000;
const PATIENCE_MS = 10_000;

export function connectionOf(options: ConnectOptions, env: Environment): Connection {
  const gateway = options.gateway ?? text(env["PROMPTPO_GATEWAY"]);
  const rollout = options.rollout ?? text(env["PROMPTPO_ROLLOUT"]);
  const optimizer = options.optimizer ?? text(env["PROMPTPO_OPTIMIZER"]);
  const token = options.token ?? text(env["PROMPTPO_TOKEN"]);
  const tls = options.tls ?? tlsOf(env);
  return {
    targets: {
      ...(gateway === undefined ? {} : { gateway }),
      ...(rollout === undefined ? {} : { rollout }),
      ...(optimizer === undefined ? {} : { optimizer }),
    },
    ...(token === undefined ? {} : { token }),
    ...(tls === undefined ? {} : { tls }),
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    patienceMs: options.patienceMs ?? PATIENCE_MS,
  };
}

function tlsOf(env: Environment): TlsOptions | undefined {
  const ca = text(env["PROMPTPO_TLS_CA"]);
  const cert = text(env["PROMPTPO_TLS_CERT"]);
  const key = text(env["PROMPTPO_TLS_KEY"]);
  if (ca === undefined) return undefined;
  return { ca, ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) };
}

function text(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === "" ? undefined : value;
}
