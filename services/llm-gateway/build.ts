/**
 * The gateway put together: adapters, stores, pipeline and handlers from one configuration. main.ts runs it as a process,
 * tests run it within theirs.
 */
import { randomUUID } from "node:crypto";
import { Metadata } from "@grpc/grpc-js";
import { llm } from "@promptpo/contracts";
import {
  ConfigError,
  createAuthenticator,
  implement,
  openDatabase,
  type ServiceEnvironment,
  type ServiceParts,
  tokensOf,
} from "@promptpo/service-kit";

import { memoryCache } from "./adapters/memory-cache.ts";
import { gatewayMeter } from "./adapters/metrics.ts";
import { openOpenAiDoor } from "./adapters/openai-door.ts";
import { openAiProvider } from "./adapters/openai-provider.ts";
import { readPrices } from "./adapters/price-file.ts";
import { openRecordings } from "./adapters/recording-folders.ts";
import { systemClock } from "./adapters/system-clock.ts";
import type { GatewayConfig } from "./config.ts";
import { createCatalog } from "./core/catalog.ts";
import { listModels as offeredModels } from "./core/list-models.ts";
import type { CallDefaults } from "./core/parse-call.ts";
import { createGateway, type Gateway } from "./core/pipeline/gateway.ts";
import { sleep } from "./core/pipeline/waiting.ts";
import type { Recordings } from "./core/ports.ts";
import { batchComplete } from "./handlers/batch-complete.ts";
import { cancelCompletion } from "./handlers/cancel-completion.ts";
import { complete } from "./handlers/complete.ts";
import { getCompletion } from "./handlers/get-completion.ts";
import { getUsage } from "./handlers/get-usage.ts";
import { listModels } from "./handlers/list-models.ts";
import { streamComplete } from "./handlers/stream-complete.ts";
import { openAnswerLog } from "./store/answer-log.ts";
import { holdOwnerLock } from "./store/owner-lock.ts";
import { openUsageLog } from "./store/usage-log.ts";

export async function buildGateway(env: ServiceEnvironment<GatewayConfig>): Promise<ServiceParts> {
  const { config, log, stopping } = env;
  await using stack = new AsyncDisposableStack();
  const recordings = await recordingsOf(env);
  const prices = await readPrices(config.prices);
  const provider =
    config.openaiApiKey === undefined && config.openaiBaseUrl === undefined
      ? undefined
      : stack.use(openAiProvider({ baseUrl: config.openaiBaseUrl, apiKey: config.openaiApiKey, clock: systemClock }));
  const catalog = createCatalog(provider, config.models);

  const database = stack.use(
    await openDatabase({
      url: config.databaseUrl,
      migrations: new URL("./store/migrations/", import.meta.url),
      log,
      poolSize: config.databasePool,
      signal: stopping,
    }),
  );
  const lock = stack.use(await holdOwnerLock({ url: config.databaseUrl, log }));
  const usage = stack.use(openUsageLog({ database, log }));
  const answers = stack.use(
    await openAnswerLog({ database, owner: lock.owner, onCancel: (id) => gateway.cancelHere(id) }),
  );

  const cache = memoryCache({ bytes: config.cacheBytes, ttlMs: config.cacheTtlMs });
  const recordedModels = recordings.library.all().map(({ model }) => model);
  const gateway: Gateway = createGateway({
    catalog,
    prices,
    clock: systemClock,
    random: Math.random,
    newId: randomUUID,
    attemptsMost: config.providerAttempts,
    retryBaseMs: config.retryBaseMs,
    meter: gatewayMeter(env.metrics, [...config.models, ...recordedModels], {
      cacheBytes: cache.bytes,
      cacheEntries: cache.entries,
      running: () => gateway.runningCount(),
    }),
    notes: log,
    log: answers,
    usage,
    cache,
    recordings,
  });
  stack.defer(() => gateway.stop());

  let stoppedAtMs: number | undefined;
  stopping.addEventListener("abort", () => {
    stoppedAtMs = Date.now();
  });
  const defaults: CallDefaults = {
    timeoutMs: config.modelTimeoutMs,
    tolerance: config.replayTolerance,
    promptBytesMost: config.promptBytes,
  };
  const door =
    config.openaiListen === "off"
      ? undefined
      : stack.use(
          await openOpenAiDoor({
            listen: config.openaiListen,
            gateway,
            defaults,
            models: () => offeredModels(catalog, recordings, prices),
            authenticate: httpAuthenticator(config),
            log,
          }),
        );
  const parts = stack.move();
  return {
    services: [
      implement(llm.LlmGatewayService, {
        complete: complete(gateway, defaults),
        streamComplete: streamComplete(gateway, defaults),
        batchComplete: batchComplete(gateway, defaults),
        getCompletion: getCompletion(gateway),
        cancelCompletion: cancelCompletion(gateway),
        listModels: listModels({ catalog, recordings, prices }),
        getUsage: getUsage(usage),
      }),
      implement(llm.LlmAdminService, {}),
    ],
    async ready() {
      if (!(await database.healthy())) return "the database does not answer";
      return lock.held() ? undefined : "the lock on this process's calls is being taken again";
    },
    async drain() {
      // Calls whose callers have gone may still be paid for: they get what is left of the grace period.
      const leftMs = (stoppedAtMs ?? Date.now()) + config.drainMs - Date.now();
      const ended = new AbortController();
      const idle = Promise.all([door?.drain(), gateway.idle()]);
      await Promise.race([idle, sleep(systemClock, Math.max(0, leftMs), ended.signal)]).finally(() => ended.abort());
    },
    close: () => parts.disposeAsync(),
  };
}

/** The gRPC listener's rules for a header of HTTP. */
function httpAuthenticator(config: GatewayConfig): (authorization: string | undefined) => string {
  const authenticate = createAuthenticator(tokensOf(config));
  return (authorization) => {
    const metadata = new Metadata();
    if (authorization !== undefined) metadata.set("authorization", authorization);
    return authenticate(metadata);
  };
}

async function recordingsOf({ config, log }: ServiceEnvironment<GatewayConfig>): Promise<Recordings> {
  const mode = config.recordingMode ?? (config.recording.length > 0 ? "replay" : "off");
  try {
    return await openRecordings({ mode, folders: config.recording, log });
  } catch (error) {
    throw new ConfigError([
      {
        setting: "PROMPTPO_RECORDING",
        where: "environment or file",
        why: error instanceof Error ? error.message : "a folder can not be read",
        next: "Name folders of recorded answers (mode replay) or a folder to write into (mode record).",
      },
    ]);
  }
}
