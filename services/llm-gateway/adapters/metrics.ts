/**
 * The gateway's metrics. Labels are bounded: a model that is not configured counts as `other`.
 *
 * The two histograms bear OpenTelemetry's names for clients of language models, as Prometheus spells them.
 */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Meter } from "../core/ports.ts";

/** Seconds: from a cache hit to a model that thinks for an hour. */
const DURATION_BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];
const TOKEN_BUCKETS = [1, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576];

export interface GatewayGauges {
  readonly cacheBytes: () => number;
  readonly cacheEntries: () => number;
  readonly running: () => number;
}

export function gatewayMeter(registry: Registry, models: readonly string[], gauges: GatewayGauges): Meter {
  const known = new Set(models);
  const modelLabel = (model: string): string => (known.has(model) ? model : "other");
  const registers = [registry];

  const calls = new Counter({
    name: "promptpo_llm_calls_total",
    help: "Calls by where their answer came from (none: they failed) and how they ended (ok or a reason).",
    labelNames: ["model", "source", "outcome"],
    registers,
  });
  const callSeconds = new Histogram({
    name: "promptpo_llm_call_seconds",
    help: "Time of a call within the gateway, by where its answer came from.",
    labelNames: ["source"],
    buckets: DURATION_BUCKETS,
    registers,
  });
  const upstream = new Histogram({
    name: "gen_ai_client_operation_duration_seconds",
    help: "Time of one request to a provider, failed ones included.",
    labelNames: ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"],
    buckets: DURATION_BUCKETS,
    registers,
  });
  const tokens = new Histogram({
    name: "gen_ai_client_token_usage",
    help: "Tokens of one provider call, counted or estimated.",
    labelNames: ["gen_ai_operation_name", "gen_ai_request_model", "gen_ai_token_type", "estimated"],
    buckets: TOKEN_BUCKETS,
    registers,
  });
  const money = new Counter({
    name: "promptpo_llm_cost_micro_usd_total",
    help: "Micro-USD charged at known prices.",
    labelNames: ["model"],
    registers,
  });
  const unpriced = new Counter({
    name: "promptpo_llm_unpriced_calls_total",
    help: "Charged calls whose price is unknown.",
    labelNames: ["model"],
    registers,
  });
  const retries = new Counter({
    name: "promptpo_llm_provider_retries_total",
    help: "Times that a provider was asked again, by why.",
    labelNames: ["reason"],
    registers,
  });
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  gauge("promptpo_llm_cache_bytes", "Bytes of answers kept in memory.", gauges.cacheBytes);
  gauge("promptpo_llm_cache_entries", "Answers kept in memory.", gauges.cacheEntries);
  gauge("promptpo_llm_running_calls", "Calls with a request id that run now.", gauges.running);

  return {
    call({ model, source, outcome, seconds }) {
      calls.inc({ model: modelLabel(model), source, outcome });
      callSeconds.observe({ source }, seconds);
    },
    upstream({ model, provider, outcome, seconds }) {
      upstream.observe(
        {
          gen_ai_operation_name: "chat",
          gen_ai_provider_name: provider,
          gen_ai_request_model: modelLabel(model),
          error_type: outcome === "ok" ? "" : outcome,
        },
        seconds,
      );
    },
    charge(model, { usage, cost }) {
      const labels = {
        gen_ai_operation_name: "chat",
        gen_ai_request_model: modelLabel(model),
        estimated: String(usage.estimated),
      };
      tokens.observe({ ...labels, gen_ai_token_type: "input" }, Number(usage.promptTokens));
      tokens.observe({ ...labels, gen_ai_token_type: "output" }, Number(usage.completionTokens));
      if (cost.known) money.inc({ model: modelLabel(model) }, Number(cost.microUsd));
      else unpriced.inc({ model: modelLabel(model) });
    },
    retried: (reason) => retries.inc({ reason }),
  };
}
