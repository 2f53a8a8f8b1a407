/**
 * For tests: the whole rollout service in this process, on a database and an artifact folder of its own.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rollout } from "@promptpo/contracts";
import {
  type Client,
  createClient,
  createLogger,
  type FleetError,
  loadConfig,
  type RunningService,
  startService,
} from "@promptpo/service-kit";
import { Registry } from "prom-client";
import { configSchema } from "../config.ts";
import { buildRollout } from "../main.ts";

export interface RolloutUnderTest extends AsyncDisposable {
  readonly client: Client<rollout.RolloutServiceService>;
  readonly address: string;
  readonly artifacts: string;
  readonly metrics: Registry;
  /** Log lines as objects. */
  readonly lines: Record<string, unknown>[];
  /** Resolves once a log line satisfies it; also for lines that were logged already. */
  logged(when: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  /** A client that shows this token. */
  as(token: string): Client<rollout.RolloutServiceService>;
  stop(): Promise<void>;
}

export async function startRollout(env: Readonly<Record<string, string>>): Promise<RolloutUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), "promptpo-rollout-"));
  const config = loadConfig(configSchema, {
    env: {
      PROMPTPO_METRICS_LISTEN: "off",
      PROMPTPO_DRAIN_MS: "0",
      PROMPTPO_ARTIFACTS: join(folder, "artifacts"),
      ...env,
    },
  });
  const metrics = new Registry();
  const { log, lines, logged } = listeningLog();
  const stopping = new AbortController();
  const parts = await buildRollout({ config, log, metrics, stopping: stopping.signal });
  const service: RunningService = await startService({ name: "rollout", config, log, metrics, parts });
  const clients: Client<rollout.RolloutServiceService>[] = [];
  const connect = (token?: string) => {
    const client = createClient(rollout.RolloutServiceService, {
      target: service.address,
      unavailable: "ROLLOUT_UNAVAILABLE",
      ...(token === undefined ? {} : { token }),
    });
    clients.push(client);
    return client;
  };
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= (async () => {
      for (const client of clients) client.close();
      await service.stop();
      rmSync(folder, { recursive: true, force: true });
    })();
    return stopped;
  };
  return {
    client: connect(),
    as: connect,
    address: service.address,
    artifacts: config.artifacts,
    metrics,
    lines,
    logged,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** An evaluation's messages, taken apart. */
export interface Evaluated {
  readonly episodes: NonNullable<rollout.GetEvaluationResponse["episodes"]>;
  readonly summary: rollout.EvaluationSummary;
}

export async function collect(messages: AsyncIterable<rollout.EvaluatePolicyResponse>): Promise<Evaluated> {
  const episodes: Evaluated["episodes"] = [];
  let summary: rollout.EvaluationSummary | undefined;
  for await (const { part } of messages) {
    if (summary !== undefined) throw new Error("something came after the summary");
    if (part?.$case === "episode") episodes.push(part.value);
    if (part?.$case === "summary") summary = part.value;
  }
  if (summary === undefined) throw new Error("there was no summary");
  return { episodes, summary };
}

export function evaluation(
  more: Parameters<typeof rollout.EvaluatePolicyRequest.fromPartial>[0],
): rollout.EvaluatePolicyRequest {
  return rollout.EvaluatePolicyRequest.fromPartial({ policySource: "class FakePolicy: ...", ...more });
}

/** The error that the work ends with. */
export async function failureOf(work: Promise<unknown>): Promise<FleetError> {
  try {
    await work;
  } catch (error) {
    return error as FleetError;
  }
  throw new Error("it did not fail");
}

export async function metric(registry: Registry, line: string): Promise<number | undefined> {
  const text = await registry.metrics();
  const found = text.split("\n").find((each) => each.startsWith(`${line} `));
  return found === undefined ? undefined : Number(found.slice(line.length + 1));
}

function listeningLog() {
  const lines: Record<string, unknown>[] = [];
  const waiting = new Set<(line: Record<string, unknown>) => void>();
  const write = (text: string) => {
    const line: Record<string, unknown> = JSON.parse(text);
    lines.push(line);
    for (const look of [...waiting]) look(line);
  };
  const logged = (when: (line: Record<string, unknown>) => boolean) => {
    const known = lines.find(when);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise<Record<string, unknown>>((resolve) => {
      const look = (line: Record<string, unknown>) => {
        if (!when(line)) return;
        waiting.delete(look);
        resolve(line);
      };
      waiting.add(look);
    });
  };
  return { log: createLogger("rollout", "debug", { write }), lines, logged };
}
