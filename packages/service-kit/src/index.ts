/**
 * What every service and client of the fleet has in common. This is the whole public surface; files below are reached
 * through it (a service's core imports `@promptpo/service-kit/errors.ts`, which has no I/O behind it).
 */
export { type Authenticator, createAuthenticator, type Tokens } from "./auth/authenticator.ts";
export { tokensOf } from "./auth/tokens-of.ts";
export { type ClientDefaults, clientOptionsOf } from "./client/client-options-of.ts";
export type { Client, ClientMethod, ClientOptions, Pem, TlsOptions } from "./client/client-types.ts";
export { createClient } from "./client/create-client.ts";
export { type RetryOptions, retrying } from "./client/retrying.ts";
export { type Address, address, formatAddress, isLoopback, parseAddress } from "./config/address.ts";
export { type BaseConfig, baseConfig } from "./config/base-config.ts";
export { ConfigError, type ConfigProblem } from "./config/config-error.ts";
export { type ConfigSources, loadConfig } from "./config/load-config.ts";
export { flag, integer, json, list, type SettingInfo, setting, settingInfo } from "./config/setting.ts";
export * from "./errors.ts";
export { createLogger, type Logger, type LogLevel, silentLogger } from "./logs/create-logger.ts";
export { registerSecret, withoutSecrets } from "./logs/secrets.ts";
export type { Database, Queryable } from "./postgres/database.ts";
export { openDatabase } from "./postgres/open-database.ts";
export { abortError } from "./rpc/abort-error.ts";
export { type CallContext, type CallOptions, callOptionsOf } from "./rpc/call-context.ts";
export type { Handler, Handlers } from "./rpc/handlers.ts";
export { implement, type ServiceImplementation } from "./rpc/implement.ts";
export type { RequestOf, ResponseOf, ServiceDefinition } from "./rpc/service-definition.ts";
export { pause, untilAborted } from "./rpc/until-aborted.ts";
export { runService } from "./server/run-service.ts";
export type { RunningService, ServiceEnvironment, ServiceParts } from "./server/service-parts.ts";
export { startService } from "./server/start-service.ts";
