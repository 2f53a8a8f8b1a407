import { rollout, sim, types } from "@promptpo/contracts";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { metric } from "../testing/rollout-under-test.ts";
import { PrometheusMetrics } from "./rollout-metrics.ts";

function environment(id: string): rollout.Environment {
  return rollout.Environment.fromPartial({ id, family: "fake" });
}

test("policies' failures are counted by kind and tenant, and only where they happened", async () => {
  const registry = new Registry();
  const metrics = new PrometheusMetrics(registry);
  const error = types.PolicyError.fromPartial({ kind: types.PolicyError_Kind.KIND_CPU });
  const result = types.EpisodeResult.fromPartial({ length: 3n, error });
  for (const cached of [false, true, false]) {
    metrics.episode({ environment: environment("E"), tenant: "ada", result, cached });
  }
  const failures = 'promptpo_rollout_policy_failures_total{family="fake",tenant="ada",cause="cpu"}';
  expect(await metric(registry, failures)).toBe(2);
  expect(await metric(registry, 'promptpo_rollout_tenant_steps_total{environment="E",tenant="ada"}')).toBe(6);
});

test("however many tenants and environments come, the number of series stays within bounds", async () => {
  const registry = new Registry();
  const metrics = new PrometheusMetrics(registry);
  const result = types.EpisodeResult.fromPartial({ length: 1n });
  const timings = sim.StepTimings.fromPartial({ actSeconds: [0.5], stepSeconds: [0.25] });
  for (let count = 0; count < 1_000; count += 1) {
    metrics.episode({ environment: environment("E"), tenant: `t${count}`, result, cached: false });
    metrics.steps(environment(`gym:${count}`), timings);
  }
  const names = (await registry.metrics()).split("\n");
  const seriesOf = (name: string) => names.filter((line) => line.startsWith(`${name}{`)).length;
  expect(seriesOf("promptpo_rollout_tenant_episodes_total")).toBe(51);
  expect(seriesOf("promptpo_rollout_policy_act_seconds_count")).toBeLessThanOrEqual(101);
  expect(await metric(registry, 'promptpo_rollout_tenant_episodes_total{environment="E",tenant="other"}')).toBe(950);
});
