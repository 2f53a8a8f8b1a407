/**
 * How a service reaches another one, from its own configuration: its service token and its TLS files.
 */
import type { BaseConfig } from "../config/base-config.ts";
import type { ClientOptions } from "./client-types.ts";

/** What the configuration does not say. */
export type ClientDefaults = Pick<ClientOptions, "target" | "unavailable" | "timeoutMs">;

export function clientOptionsOf(config: BaseConfig, call: ClientDefaults): ClientOptions {
  const own =
    config.tlsCert === undefined || config.tlsKey === undefined ? {} : { cert: config.tlsCert, key: config.tlsKey };
  return {
    ...call,
    ...(config.serviceToken === undefined ? {} : { token: config.serviceToken }),
    ...(config.tlsCa === undefined ? {} : { tls: { ca: config.tlsCa, ...own } }),
  };
}
