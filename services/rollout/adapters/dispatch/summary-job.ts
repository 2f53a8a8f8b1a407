/**
 * A feedback program over episodes as a job: a unit is an episode, and each gets a program process of its own.
 *
 * So the episodes may be spread over sidecars, unless one policy object lives through all of them.
 */
import { rollout, sha256, sim, types } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import { limitsMessage } from "../../core/limits.ts";
import { pinnedId } from "../../core/pinned-id.ts";
import type { ResimulationSpec } from "../../core/summary-spec.ts";
import type { SummaryOrder } from "../../handlers/ports.ts";
import type { Job } from "./job.ts";

/** Beyond the limits' own sum: building the simulator, packing observations. */
const MARGIN_MS = 60_000;

/** `keep` gets the summary of each place once, with environment steps that were taken for its block; their sum counts. */
export function summaryJob(
  order: SummaryOrder,
  keep: (unit: number, summary: rollout.TrajectorySummary, stepCount: bigint) => void,
): Job {
  const { spec, environment } = order;
  const resimulation = spec.episodes.kind === "resimulation" ? spec.episodes.resimulation : undefined;
  const episodeCount = resimulation?.seeds.length ?? order.trajectories.length;
  const describe = (unit: number) =>
    resimulation === undefined ? `trajectory ${unit}` : `seed ${resimulation.seeds[unit]}`;
  return {
    tenant: order.tenant,
    describe: (unit) => `the feedback program on ${describe(unit)} of ${environment.id}`,
    evidence: (unit) => ({
      environment: environment.id,
      variant: environment.variant,
      ...(resimulation === undefined ? { trajectory: String(unit) } : { seed: String(resimulation.seeds[unit]) }),
      feedback_sha256: sha256(spec.feedbackSource),
    }),
    family: environment.family,
    fingerprintDigest: order.fingerprintDigest,
    unitCount: episodeCount,
    unitCost: Number(environment.horizon),
    done: new Set(),
    whole: resimulation?.sharedPolicy === true,
    // One answer at a block's end, and nothing before it.
    silenceMs: MARGIN_MS + episodeCount * (spec.limits.episodeWallMs + (resimulation?.limits.episodeWallMs ?? 0)),

    async run(link, units, block) {
      const request = sim.SummarizeRequest.fromPartial({
        environment: pinnedId(environment),
        variant: environment.variant,
        feedbackSource: spec.feedbackSource,
        resimulation: resimulation === undefined ? undefined : resimulate(resimulation, units),
        trajectories: units.flatMap((unit) => order.trajectories[unit] ?? []),
        limits: limitsMessage(spec.limits),
      });
      const { summaries, stepCount } = await link.client.summarize(request, { signal: block.signal });
      if (summaries.length !== units.length) {
        const why = `it gave ${summaries.length} summaries of ${units.length} episodes`;
        throw new FleetError("SIDECAR_UNAVAILABLE", `sidecar with process id ${link.hello.pid}: ${why}`);
      }
      for (const [at, summary] of summaries.entries()) {
        const unit = units[at] ?? -1;
        await block.done(unit, async () => keep(unit, summary, at === 0 ? stepCount : 0n));
      }
    },
  };
}

function resimulate(spec: ResimulationSpec, units: readonly number[]): rollout.Resimulation {
  return rollout.Resimulation.fromPartial({
    policySource: spec.policySource,
    seeds: units.flatMap((unit) => spec.seeds[unit] ?? []),
    policyLifetime: spec.sharedPolicy
      ? types.PolicyLifetime.POLICY_LIFETIME_EVALUATION
      : types.PolicyLifetime.POLICY_LIFETIME_EPISODE,
    limits: limitsMessage(spec.limits),
  });
}
