/**
 * The settings that every service has. A service spreads `baseConfig` into its own shape:
 * `z.object({ ...baseConfig, databaseUrl: setting(z.string(), { env: "DATABASE_URL", secret: true, about: "…" }) })`.
 */
import { z } from "zod";
import { address } from "./address.ts";
import { flag, integer, json, setting } from "./setting.ts";

/** Tenant names end up in logs, metrics-free paths and SQL parameters: plain words only. `*` marks a service's token. */
const tenantName = z
  .string()
  .regex(/^(?:\*|[a-z0-9][a-z0-9_-]{0,62})$/, "a tenant's name is a-z, 0-9, - and _, 63 characters at most, or *");
const tokenText = z
  .string()
  .min(16, "a token has at least 16 characters")
  .max(512, "a token has at most 512 characters");
/** Tenant -> its token, or several while one is being replaced. The tenant `*` is a service acting for any tenant. */
export const tokensShape = z.record(tenantName, z.union([tokenText, z.array(tokenText).min(1)]));

export const baseConfig = {
  listen: setting(address().default("127.0.0.1:0"), {
    env: "PROMPTPO_LISTEN",
    about: "host:port of the gRPC listener; port 0 takes a free one; default 127.0.0.1:0",
  }),
  metricsListen: setting(z.union([z.literal("off"), address()]).default("127.0.0.1:0"), {
    env: "PROMPTPO_METRICS_LISTEN",
    about: "host:port of /metrics, /healthz and /readyz over plain HTTP, or off; default 127.0.0.1:0",
  }),
  tlsCert: setting(z.string().min(1).optional(), {
    env: "PROMPTPO_TLS_CERT",
    about: "path of the PEM certificate chain of this process; with PROMPTPO_TLS_KEY it turns TLS on",
  }),
  tlsKey: setting(z.string().min(1).optional(), {
    env: "PROMPTPO_TLS_KEY",
    about: "path of the PEM private key of this process",
  }),
  tlsCa: setting(z.string().min(1).optional(), {
    env: "PROMPTPO_TLS_CA",
    about: "path of the PEM authorities that peers are checked against; as a client, setting it turns TLS on",
  }),
  tlsClientAuth: setting(z.enum(["none", "require"]).default("none"), {
    env: "PROMPTPO_TLS_CLIENT_AUTH",
    about: "require: clients must show a certificate signed by PROMPTPO_TLS_CA; default none",
  }),
  tokens: setting(json(tokensShape).optional(), {
    env: "PROMPTPO_TOKENS",
    secret: true,
    about: 'JSON object tenant -> token (or list of tokens), such as {"alice": "…"}; set, every call needs a token',
  }),
  tokensFile: setting(z.string().min(1).optional(), {
    env: "PROMPTPO_TOKENS_FILE",
    about: "path of a file with the JSON of PROMPTPO_TOKENS",
  }),
  serviceToken: setting(tokenText.optional(), {
    env: "PROMPTPO_SERVICE_TOKEN",
    secret: true,
    about: "the token that this service shows to other services: theirs for the tenant *",
  }),
  logLevel: setting(z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"), {
    env: "PROMPTPO_LOG_LEVEL",
    about: "least severe line that is logged: trace, debug, info, warn, error, fatal or silent; default info",
  }),
  drainMs: setting(integer({ min: 0, max: 3_600_000 }).default(10_000), {
    env: "PROMPTPO_DRAIN_MS",
    about: "milliseconds that running calls get to finish after SIGTERM; default 10000",
  }),
  dieWithParent: setting(flag().default(false), {
    env: "PROMPTPO_DIE_WITH_PARENT",
    about: "1: drain and exit when standard input ends, which is when the process that started this one died",
  }),
} as const;

const baseSchema = z.object(baseConfig);
export type BaseConfig = z.output<typeof baseSchema>;
