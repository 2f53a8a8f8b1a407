/**
 * A request to run a feedback program over episodes, parsed at the door.
 *
 * Refuses a request that names both a re-simulation and recorded trajectories, or neither.
 */
import { rollout, sha256, type types } from "@promptpo/contracts";
import type { Violation } from "@promptpo/service-kit/errors.ts";
import { isShared, lifetimeViolations, refuse } from "./evaluation-spec.ts";
import { type CompiledLimits, compileLimits } from "./limits.ts";
import { requestIdViolations } from "./request-id.ts";
import { seedViolations } from "./seeds.ts";
import { refuseLongSource } from "./source.ts";

export interface ResimulationSpec {
  readonly policySource: string;
  readonly seeds: readonly bigint[];
  readonly sharedPolicy: boolean;
  readonly limits: CompiledLimits;
}

export type EpisodeSource =
  | { readonly kind: "resimulation"; readonly resimulation: ResimulationSpec }
  | { readonly kind: "trajectories"; readonly trajectories: readonly types.ArtifactRef[] };

export interface SummarySpec {
  readonly environment: string;
  readonly variant: string;
  readonly feedbackSource: string;
  readonly episodes: EpisodeSource;
  /** Empty: the summaries are not kept. */
  readonly requestId: string;
  /** Limits of the feedback program, for each episode. */
  readonly limits: CompiledLimits;
  readonly runId: string;
  readonly bodySha256: string;
}

/** All of them travel in one message to the sidecar, which takes 64 MiB. */
const TRAJECTORIES_MOST = 1_000;
export const TRAJECTORY_BYTES_MOST = 60 * 2 ** 20;

/** Throws INVALID_SEEDS, POLICY_TOO_LARGE or INVALID_ARGUMENT. */
export function parseSummary(request: rollout.SummarizeTrajectoriesRequest): SummarySpec {
  refuseLongSource(request.feedbackSource, "feedback_source");
  const { limits, violations } = compileLimits(request.limits, "limits");
  if (request.environment === "") violations.push({ field: "environment", description: "is empty" });
  violations.push(...requestIdViolations(request.requestId, "request_id"));

  const seeds: Violation[] = [];
  const episodes = episodeSource(request, seeds, violations);
  refuse(seeds, violations);
  return {
    environment: request.environment,
    variant: request.variant,
    feedbackSource: request.feedbackSource,
    episodes,
    requestId: request.requestId,
    limits,
    runId: request.runId,
    bodySha256: sha256(rollout.SummarizeTrajectoriesRequest.encode({ ...request, requestId: "" }).finish()),
  };
}

function episodeSource(
  request: rollout.SummarizeTrajectoriesRequest,
  seeds: Violation[],
  violations: Violation[],
): EpisodeSource {
  const { resimulation, trajectories } = request;
  if (resimulation === undefined) {
    if (trajectories.length === 0) {
      violations.push({ field: "resimulation", description: "is missing, and so are trajectories; give one of them" });
    }
    if (trajectories.length > TRAJECTORIES_MOST) {
      violations.push({
        field: "trajectories",
        description: `holds ${trajectories.length}; at most ${TRAJECTORIES_MOST} fit one call`,
      });
    }
    for (const [at, { sha256: hash }] of trajectories.entries()) {
      if (!isSha256(hash)) violations.push({ field: `trajectories[${at}].sha256`, description: "is no hex sha-256" });
    }
    return { kind: "trajectories", trajectories };
  }
  if (trajectories.length > 0) {
    violations.push({ field: "trajectories", description: "is given beside resimulation; give one of them" });
  }
  refuseLongSource(resimulation.policySource, "resimulation.policy_source");
  seeds.push(...seedViolations(resimulation.seeds, "resimulation.seeds"));
  const compiled = compileLimits(resimulation.limits, "resimulation.limits");
  violations.push(...compiled.violations);
  violations.push(...lifetimeViolations(resimulation.policyLifetime, "resimulation.policy_lifetime"));
  return {
    kind: "resimulation",
    resimulation: {
      policySource: resimulation.policySource,
      seeds: resimulation.seeds,
      sharedPolicy: isShared(resimulation.policyLifetime),
      limits: compiled.limits,
    },
  };
}

/** Lower-case hex sha-256. */
export function isSha256(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
