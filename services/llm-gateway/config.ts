/**
 * The gateway's settings: from the environment, or from the file that PROMPTPO_CONFIG names.
 */
import { address, baseConfig, integer, list, setting } from "@promptpo/service-kit";
import { z } from "zod";
import { LONGEST_TIMEOUT_MS } from "./core/parse-call.ts";

export const gatewayConfig = z.object({
  ...baseConfig,
  databaseUrl: setting(z.url({ protocol: /^postgres(?:ql)?$/ }), {
    env: "DATABASE_URL",
    secret: true,
    about: "postgres:// URL of the gateway's own database: answer log and usage",
  }),
  databasePool: setting(integer({ min: 2, max: 100 }).default(8), {
    env: "PROMPTPO_DATABASE_POOL",
    about: "most connections to the database; default 8",
  }),
  openaiApiKey: setting(z.string().min(1).optional(), {
    env: "OPENAI_API_KEY",
    secret: true,
    about: "the provider's key; a local endpoint needs none",
  }),
  openaiBaseUrl: setting(z.url({ protocol: /^https?$/ }).optional(), {
    env: "OPENAI_BASE_URL",
    about: "http(s) URL of any OpenAI-compatible endpoint, up to /v1; default is OpenAI's own when a key is set",
  }),
  models: setting(list().default([]), {
    env: "PROMPTPO_MODELS",
    about: "comma-separated names of the models that are offered; default: any name is passed on to the provider",
  }),
  recording: setting(list().default([]), {
    env: "PROMPTPO_RECORDING",
    about: "comma-separated folders of recorded answers; the first one is written to in mode record",
  }),
  recordingMode: setting(z.enum(["off", "record", "replay"]).optional(), {
    env: "PROMPTPO_RECORDING_MODE",
    about:
      "off, record (ask and write what is not recorded yet) or replay (never ask a provider); default replay when PROMPTPO_RECORDING is set, else off",
  }),
  replayTolerance: setting(z.enum(["exact", "masked", "place"]).default("exact"), {
    env: "PROMPTPO_REPLAY_TOLERANCE",
    about:
      "how far a request may differ from the recorded one unless it says so itself: exact, masked (numbers may differ) or place (anything may); default exact",
  }),
  modelTimeoutMs: setting(integer({ min: 1, max: LONGEST_TIMEOUT_MS }).default(600_000), {
    env: "PROMPTPO_MODEL_TIMEOUT_MS",
    about: "milliseconds that a model may take for calls that say nothing, an hour at most; default 600000",
  }),
  providerAttempts: setting(integer({ min: 1, max: 20 }).default(5), {
    env: "PROMPTPO_PROVIDER_ATTEMPTS",
    about: "times that a provider is asked for one answer, within the call's deadline; default 5",
  }),
  retryBaseMs: setting(integer({ min: 1, max: 60_000 }).default(500), {
    env: "PROMPTPO_RETRY_BASE_MS",
    about: "first pause between two attempts in milliseconds, doubled each time; default 500",
  }),
  promptBytes: setting(integer({ min: 1, max: 60 * 1024 * 1024 }).default(8 * 1024 * 1024), {
    env: "PROMPTPO_PROMPT_BYTES",
    about: "bytes of a call's messages together, at most; default 8388608",
  }),
  cacheBytes: setting(integer({ min: 0, max: 2 ** 40 }).default(64 * 1024 * 1024), {
    env: "PROMPTPO_CACHE_BYTES",
    about: "bytes of answers kept in memory; 0 switches the cache off; default 67108864",
  }),
  cacheTtlMs: setting(integer({ min: 1, max: 2 ** 31 - 1 }).default(86_400_000), {
    env: "PROMPTPO_CACHE_TTL_MS",
    about: "milliseconds for which an answer is kept in memory; default 86400000 (a day)",
  }),
  prices: setting(z.string().min(1).optional(), {
    env: "PROMPTPO_PRICES",
    about: "path of a YAML or JSON file of prices by model; without one every cost is unknown",
  }),
  openaiListen: setting(z.union([z.literal("off"), address()]).default("off"), {
    env: "PROMPTPO_OPENAI_LISTEN",
    about: "host:port of the OpenAI-compatible HTTP door (/v1/chat/completions, /v1/models), or off; default off",
  }),
});

export type GatewayConfig = z.output<typeof gatewayConfig>;
