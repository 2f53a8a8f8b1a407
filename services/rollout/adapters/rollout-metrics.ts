/**
 * The service's own metrics. Labels are bounded: what comes from callers (environments, tenants) is shown by name for the
 * first few and as `other` beyond; ids are never shown.
 */
import { type rollout, type sim, types } from "@promptpo/contracts";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { RolloutMetrics } from "../handlers/ports.ts";
import { BoundedLabel } from "./bounded-label.ts";
import type { DispatcherMetrics } from "./dispatch/dispatcher.ts";
import type { StepMetrics } from "./dispatch/episodes-job.ts";
import type { SidecarStates } from "./sidecars/sidecar-fleet.ts";

/** Read when /metrics is asked for. */
export interface Gauged {
  readonly waitingCount: number;
  readonly states: SidecarStates;
}

/** All that come with the service, and a few of the operator's own. */
const ENVIRONMENTS_MOST = 100;
const FAMILIES_MOST = 20;
const TENANTS_MOST = 50;
/** From a bare loop's step to a policy that thinks for seconds. */
const STEP_SECONDS = [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 0.1, 1];

export class PrometheusMetrics implements RolloutMetrics, DispatcherMetrics, StepMetrics {
  readonly #environments = new BoundedLabel(ENVIRONMENTS_MOST);
  readonly #families = new BoundedLabel(FAMILIES_MOST);
  readonly #tenants = new BoundedLabel(TENANTS_MOST);
  readonly #episodes: Counter<"family" | "outcome" | "source">;
  readonly #steps: Counter<"family">;
  readonly #tenantEpisodes: Counter<"environment" | "tenant">;
  readonly #tenantSteps: Counter<"environment" | "tenant">;
  readonly #failures: Counter<"family" | "tenant" | "cause">;
  readonly #actSeconds: Histogram<"family" | "environment">;
  readonly #stepSeconds: Histogram<"family" | "environment">;
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
    this.#tenantEpisodes = new Counter({
      name: "promptpo_rollout_tenant_episodes_total",
      help: "Episodes simulated for evaluations, by environment and tenant.",
      labelNames: ["environment", "tenant"],
      registers,
    });
    this.#tenantSteps = new Counter({
      name: "promptpo_rollout_tenant_steps_total",
      help: "Environment steps simulated for evaluations, by environment and tenant.",
      labelNames: ["environment", "tenant"],
      registers,
    });
    this.#failures = new Counter({
      name: "promptpo_rollout_policy_failures_total",
      help: "Simulated episodes that the policy's failure ended; cause is the kind of failure, kills by limit among them.",
      labelNames: ["family", "tenant", "cause"],
      registers,
    });
    this.#actSeconds = new Histogram({
      name: "promptpo_rollout_policy_act_seconds",
      help: "From an observation to the policy's action, the exchange with its process included; a few steps an episode.",
      labelNames: ["family", "environment"],
      buckets: STEP_SECONDS,
      registers,
    });
    this.#stepSeconds = new Histogram({
      name: "promptpo_rollout_simulator_step_seconds",
      help: "The simulator's own time of a step; a few steps an episode.",
      labelNames: ["family", "environment"],
      buckets: STEP_SECONDS,
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

  episode({ environment, tenant: name, result, cached }: Parameters<RolloutMetrics["episode"]>[0]): void {
    const family = this.#families.of(environment.family);
    const outcome = outcomeOf(result);
    this.#episodes.inc({ family, outcome, source: cached ? "cached" : "simulated" });
    if (cached) return;
    const steps = Number(result.length);
    const labels = { environment: this.#environments.of(environment.id), tenant: this.#tenants.of(name) };
    this.#steps.inc({ family }, steps);
    this.#tenantEpisodes.inc(labels);
    this.#tenantSteps.inc(labels, steps);
    if (result.error !== undefined) this.#failures.inc({ family, tenant: labels.tenant, cause: outcome });
  }

  steps({ family, id }: rollout.Environment, { actSeconds, stepSeconds }: sim.StepTimings): void {
    const labels = { family: this.#families.of(family), environment: this.#environments.of(id) };
    for (const seconds of actSeconds) this.#actSeconds.observe(labels, seconds);
    for (const seconds of stepSeconds) this.#stepSeconds.observe(labels, seconds);
  }

  waited(seconds: number): void {
    this.#wait.observe(seconds);
  }
  block(family: string, seconds: number): void {
    this.#block.observe({ family: this.#families.of(family) }, seconds);
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
