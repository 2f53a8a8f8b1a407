/**
 * An evaluation as asked for, parsed at the door: every field checked and defaulted, so that nothing behind it doubts.
 *
 * Refuses (all problems at once) what no sidecar could answer. Whether the environment exists is the catalogue's
 * business, because only a sidecar's handshake can say.
 */
import { rollout, sha256, types } from "@promptpo/contracts";
import { FleetError, type Violation } from "@promptpo/service-kit/errors.ts";
import { type CompiledLimits, compileLimits } from "./limits.ts";
import { requestIdViolations } from "./request-id.ts";
import { seedViolations } from "./seeds.ts";
import { refuseLongSource } from "./source.ts";

export type TrajectoryFormatName = "NPZ" | "PARQUET";

export interface EvaluationSpec {
  readonly environment: string;
  /** As asked for: empty means the default one. */
  readonly variant: string;
  readonly policySource: string;
  /** In the order in which results are given; each once. */
  readonly seeds: readonly bigint[];
  /** Empty: the evaluation is not kept. */
  readonly requestId: string;
  /** True: one policy object sees all seeds in order, so they are one block. */
  readonly sharedPolicy: boolean;
  readonly limits: CompiledLimits;
  /** Which seeds' trajectories are recorded. */
  readonly captured: ReadonlySet<bigint>;
  /** Every k-th step is recorded, at least 1. */
  readonly captureStride: number;
  readonly captureFormat: TrajectoryFormatName;
  readonly runId: string;
  /** Lower-case hex sha-256 over everything that was asked, the request_id left out. */
  readonly bodySha256: string;
}

const STRIDE_MOST = 10_000;

const FORMATS: Readonly<Partial<Record<rollout.TrajectoryFormat, TrajectoryFormatName>>> = {
  [rollout.TrajectoryFormat.TRAJECTORY_FORMAT_UNSPECIFIED]: "NPZ",
  [rollout.TrajectoryFormat.TRAJECTORY_FORMAT_NPZ]: "NPZ",
  [rollout.TrajectoryFormat.TRAJECTORY_FORMAT_PARQUET]: "PARQUET",
};

/** Throws INVALID_SEEDS, POLICY_TOO_LARGE or INVALID_ARGUMENT. */
export function parseEvaluation(request: rollout.EvaluatePolicyRequest, path = ""): EvaluationSpec {
  const at = (field: string) => `${path}${field}`;
  refuseLongSource(request.policySource, at("policy_source"));

  const seeds = seedViolations(request.seeds, at("seeds"));
  const { limits, violations } = compileLimits(request.limits, at("limits"));
  if (request.environment === "") violations.push({ field: at("environment"), description: "is empty" });
  violations.push(...requestIdViolations(request.requestId, at("request_id")));
  violations.push(...lifetimeViolations(request.policyLifetime, at("policy_lifetime")));
  violations.push(...captureViolations(request, at));
  refuse(seeds, violations);

  return {
    environment: request.environment,
    variant: request.variant,
    policySource: request.policySource,
    seeds: request.seeds,
    requestId: request.requestId,
    sharedPolicy: isShared(request.policyLifetime),
    limits,
    captured: new Set(request.capture?.all === true ? request.seeds : (request.capture?.seeds ?? [])),
    captureStride: Math.max(1, request.capture?.stride ?? 1),
    captureFormat: FORMATS[request.capture?.format ?? 0] ?? "NPZ",
    runId: request.runId,
    bodySha256: sha256(rollout.EvaluatePolicyRequest.encode({ ...request, requestId: "" }).finish()),
  };
}

/** True where one policy object lives through all episodes. */
export function isShared(lifetime: types.PolicyLifetime): boolean {
  return lifetime === types.PolicyLifetime.POLICY_LIFETIME_EVALUATION;
}

export function lifetimeViolations(lifetime: types.PolicyLifetime, path: string): Violation[] {
  const known: readonly types.PolicyLifetime[] = [
    types.PolicyLifetime.POLICY_LIFETIME_UNSPECIFIED,
    types.PolicyLifetime.POLICY_LIFETIME_EPISODE,
    types.PolicyLifetime.POLICY_LIFETIME_EVALUATION,
  ];
  if (known.includes(lifetime)) return [];
  return [{ field: path, description: "is none of POLICY_LIFETIME_EPISODE, POLICY_LIFETIME_EVALUATION" }];
}

/** Throws for violations: bad seeds first, since a caller that sent them wants to hear of those. */
export function refuse(seeds: readonly Violation[], others: readonly Violation[]): void {
  const all = [...seeds, ...others];
  const first = all[0];
  if (first === undefined) return;
  const more = all.length > 1 ? ` (and ${all.length - 1} more)` : "";
  const text = `${first.field} ${first.description}${more}`;
  throw new FleetError(seeds.length > 0 ? "INVALID_SEEDS" : "INVALID_ARGUMENT", text, { violations: all });
}

function captureViolations(request: rollout.EvaluatePolicyRequest, at: (field: string) => string): Violation[] {
  const capture = request.capture;
  if (capture === undefined) return [];
  const violations: Violation[] = [];
  if (capture.stride < 0 || capture.stride > STRIDE_MOST) {
    violations.push({ field: at("capture.stride"), description: `is ${capture.stride}; must be 0 to ${STRIDE_MOST}` });
  }
  if (FORMATS[capture.format] === undefined) {
    const description = "is none of TRAJECTORY_FORMAT_NPZ, TRAJECTORY_FORMAT_PARQUET";
    violations.push({ field: at("capture.format"), description });
  }
  const asked = new Set(request.seeds);
  const stranger = capture.seeds.find((seed) => !asked.has(seed));
  if (stranger !== undefined) {
    violations.push({ field: at("capture.seeds"), description: `${stranger} is not among the seeds to run` });
  }
  return violations;
}
