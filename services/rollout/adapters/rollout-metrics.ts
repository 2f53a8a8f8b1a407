/**
 * The service's own metrics. Labels are bounded: families, outcomes and states, never ids or tenants.
 */
import { types } from "@promptpo/contracts";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { RolloutMetrics } from "../handlers/ports.ts";
import type { DispatcherMetrics } from "./dispatch/dispatcher.ts";
import type { SidecarStates } from "./sidecars/sidecar-fleet.ts";

/** Read when /metrics is asked for. */
export interface Gauged {
  readonly waitingCount: number;
  readonly states: SidecarStates;
}

export class PrometheusMetrics implements RolloutMetrics, DispatcherMetrics {
  readonly #episodes: Counter<"family" | "outcome" | "source">;
  readonly #steps: Counter<"family">;
  readonly #wait: Histogram;
  readonly #block: Histogram<"family">;
  readonly #restarts: Counter;
  readonly #disagreements: Counter;
  readonly #registry: Registry;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#registry = registry;
    this.#episodes = new Counter({
      name: "promptpo_rollout_episodes_total",
      help: "Episodes that ended: outcome is done, success or the kind of the policy's failure; source is simulated or cached.",
      labelNames: ["family", "outcome", "source"],
      registers,
    });
    this.#steps = new Counter({
      name: "promptpo_rollout_environment_steps_total",
      help: "Environment steps simulated for evaluations.",
      labelNames: ["family"],
      registers,
    });
    this.#wait = new Histogram({
      name: "promptpo_rollout_queue_wait_seconds",
      help: "From the submission of a piece of work to its first block on a sidecar.",
      buckets: [0.001, 0.01, 0.1, 0.5, 1, 5, 15, 60, 300],
      registers,
    });
    this.#block = new Histogram({
      name: "promptpo_rollout_block_seconds",
      help: "Time of a block on a sidecar.",
      labelNames: ["family"],
      buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300],
      registers,
    });
    this.#restarts = new Counter({
      name: "promptpo_rollout_sidecar_restarts_total",
      help: "Sidecars that served and were lost.",
      registers,
    });
    this.#disagreements = new Counter({
      name: "promptpo_rollout_fingerprint_disagreements_total",
      help: "Sidecars kept out because their numeric fingerprint was not the others'. Anything but 0 is an alarm.",
      registers,
    });
  }

  gauge(gauged: Gauged): void {
    const registers = [this.#registry];
    new Gauge({
      name: "promptpo_rollout_queue_episodes",
      help: "Episodes that wait for a sidecar.",
      registers,
      collect() {
        this.set(gauged.waitingCount);
      },
    });
    new Gauge({
      name: "promptpo_rollout_sidecars",
      help: "Sidecars by state; odd ones serve with another fingerprint and are not used.",
      labelNames: ["state"],
      registers,
      collect() {
        for (const [state, count] of Object.entries(gauged.states)) this.set({ state }, count);
      },
    });
  }

  episode({ family, result, cached }: { family: string; result: types.EpisodeResult; cached: boolean }): void {
    this.#episodes.inc({ family, outcome: outcomeOf(result), source: cached ? "cached" : "simulated" });
    if (!cached) this.#steps.inc({ family }, Number(result.length));
  }

  waited(seconds: number): void {
    this.#wait.observe(seconds);
  }
  block(family: string, seconds: number): void {
    this.#block.observe({ family }, seconds);
  }
  restart(): void {
    this.#restarts.inc();
  }
  disagreement(): void {
    this.#disagreements.inc();
  }
}

function outcomeOf({ error, success }: types.EpisodeResult): string {
  if (error === undefined) return success ? "success" : "done";
  return types
    .policyError_KindToJSON(error.kind)
    .replace(/^KIND_/, "")
    .toLowerCase();
}
