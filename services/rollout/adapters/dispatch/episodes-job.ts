/**
 * Episodes of one policy as a job: a unit is a place in the list of seeds.
 */
import { type rollout, sha256, sim, types } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import { limitsMessage } from "../../core/limits.ts";
import { pinnedId } from "../../core/pinned-id.ts";
import type { EpisodeListener, EpisodesOrder } from "../../handlers/ports.ts";
import type { SidecarLink } from "../sidecars/sidecar-link.ts";
import type { BlockRun, Job } from "./job.ts";

export interface StepMetrics {
  /** Wall seconds of some of an episode's steps: the policy's and the simulator's. */
  steps(environment: rollout.Environment, timings: sim.StepTimings): void;
}

export function episodesJob(order: EpisodesOrder, listener: EpisodeListener, metrics: StepMetrics): Job {
  const { spec, environment } = order;
  /** Places that were handed on: a dependent episode that runs again is not handed on twice. */
  const kept = new Set(order.done);
  return {
    tenant: order.tenant,
    describe: (unit) => `seed ${spec.seeds[unit]} of ${environment.id}`,
    evidence: (unit) => ({
      environment: environment.id,
      variant: environment.variant,
      seed: String(spec.seeds[unit]),
      policy_sha256: sha256(spec.policySource),
    }),
    family: environment.family,
    fingerprintDigest: order.fingerprintDigest,
    unitCount: spec.seeds.length,
    unitCost: Number(environment.horizon),
    done: order.done,
    whole: spec.sharedPolicy,
    started: () => listener.started(),

    async run(link: SidecarLink, units: readonly number[], block: BlockRun) {
      const confined = link.hello.confinement?.confined === true;
      // A sidecar may run several side by side: each is reported as it ends.
      const left = new Map(
        units.flatMap((unit) => {
          const seed = spec.seeds[unit];
          return seed === undefined ? [] : [[seed, unit] as const];
        }),
      );
      let trajectory: sim.Trajectory | undefined;
      for await (const { part } of link.client.runBlock(blockRequest(order, units), { signal: block.signal })) {
        block.alive();
        if (part?.$case === "trajectory") trajectory = part.value;
        if (part?.$case === "timings") metrics.steps(environment, part.value);
        if (part?.$case !== "episode") continue;
        const result = part.value;
        const position = left.get(result.seed);
        if (position === undefined || !left.delete(result.seed)) {
          throw broken(link, `it answered seed ${result.seed}, which was not asked for or answered already`);
        }
        const recorded = trajectory?.seed === result.seed ? trajectory.npz : undefined;
        trajectory = undefined;
        await block.done(position, async () => {
          if (kept.has(position)) return;
          kept.add(position);
          await listener.episode({ position, result, confined, trajectory: recorded });
        });
      }
      if (left.size > 0) throw broken(link, "it ended a block before its last episode");
    },
  };
}

function blockRequest({ spec, environment }: EpisodesOrder, units: readonly number[]): sim.RunBlockRequest {
  const seeds = units.flatMap((unit) => spec.seeds[unit] ?? []);
  return sim.RunBlockRequest.fromPartial({
    environment: pinnedId(environment),
    variant: environment.variant,
    policySource: spec.policySource,
    seeds,
    policyLifetime: spec.sharedPolicy
      ? types.PolicyLifetime.POLICY_LIFETIME_EVALUATION
      : types.PolicyLifetime.POLICY_LIFETIME_EPISODE,
    limits: limitsMessage(spec.limits),
    capture: { seeds: seeds.filter((seed) => spec.captured.has(seed)), stride: spec.captureStride },
  });
}

function broken(link: SidecarLink, why: string): FleetError {
  return new FleetError("SIDECAR_UNAVAILABLE", `sidecar with process id ${link.hello.pid}: ${why}`);
}
