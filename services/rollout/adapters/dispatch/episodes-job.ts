/**
 * Episodes of one policy as a job: a unit is a place in the list of seeds.
 */
import { sim, types } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import { limitsMessage } from "../../core/limits.ts";
import type { EpisodeListener, EpisodesOrder } from "../../handlers/ports.ts";
import type { SidecarLink } from "../sidecars/sidecar-link.ts";
import type { BlockRun, Job } from "./job.ts";

export function episodesJob(order: EpisodesOrder, listener: EpisodeListener): Job {
  const { spec, environment } = order;
  /** Places that were handed on: a dependent episode that runs again is not handed on twice. */
  const kept = new Set(order.done);
  return {
    tenant: order.tenant,
    describe: (unit) => `seed ${spec.seeds[unit]} of ${environment.id}`,
    family: environment.family,
    fingerprintDigest: order.fingerprintDigest,
    unitCount: spec.seeds.length,
    unitCost: Number(environment.horizon),
    done: order.done,
    whole: spec.sharedPolicy,
    started: () => listener.started(),

    async run(link: SidecarLink, units: readonly number[], block: BlockRun) {
      const confined = link.hello.confinement?.confined === true;
      const left = units.values();
      let trajectory: sim.Trajectory | undefined;
      for await (const { part } of link.client.runBlock(blockRequest(order, units), { signal: block.signal })) {
        block.alive();
        if (part?.$case === "trajectory") trajectory = part.value;
        if (part?.$case !== "episode") continue;
        const result = part.value;
        const position = left.next().value;
        if (position === undefined || spec.seeds[position] !== result.seed) {
          throw broken(link, `it answered seed ${result.seed} out of turn`);
        }
        const recorded = trajectory?.seed === result.seed ? trajectory.npz : undefined;
        trajectory = undefined;
        await block.done(position, async () => {
          if (kept.has(position)) return;
          kept.add(position);
          await listener.episode({ position, result, confined, trajectory: recorded });
        });
      }
      if (left.next().done !== true) throw broken(link, "it ended a block before its last episode");
    },
  };
}

function blockRequest({ spec, environment }: EpisodesOrder, units: readonly number[]): sim.RunBlockRequest {
  const seeds = units.flatMap((unit) => spec.seeds[unit] ?? []);
  return sim.RunBlockRequest.fromPartial({
    environment: environment.id,
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
