/**
 * A request for a video, parsed at the door.
 */
import { rollout, sha256 } from "@promptpo/contracts";
import type { Violation } from "@promptpo/service-kit/errors.ts";
import { refuse } from "./evaluation-spec.ts";
import { type CompiledLimits, compileLimits } from "./limits.ts";
import { seedViolations } from "./seeds.ts";
import { refuseLongSource } from "./source.ts";

export interface RenderSpec {
  readonly environment: string;
  readonly variant: string;
  readonly policySource: string;
  readonly seed: bigint;
  /** Every k-th step is drawn; undefined: chosen by `strideFor`. */
  readonly stride: number | undefined;
  /** Pixels; undefined: the sidecar's choice. */
  readonly height: number | undefined;
  readonly limits: CompiledLimits;
  /** Lower-case hex sha-256 over everything that was asked. */
  readonly bodySha256: string;
}

const STRIDE_MOST = 10_000;
/** Even numbers only: the video codec halves the colour planes. */
const HEIGHT_RANGE = [64, 2_048] as const;
/** Software rendering draws some 10 to 50 frames a second: a video should not take longer than its episode's scoring. */
const FRAMES_WANTED = 125;

/** Throws INVALID_SEEDS, POLICY_TOO_LARGE or INVALID_ARGUMENT. */
export function parseRender(request: rollout.RenderEpisodeRequest): RenderSpec {
  refuseLongSource(request.policySource, "policy_source");
  const { limits, violations } = compileLimits(request.limits, "limits");
  if (request.environment === "") violations.push({ field: "environment", description: "is empty" });
  if (request.stride < 0 || request.stride > STRIDE_MOST) {
    violations.push({ field: "stride", description: `is ${request.stride}; must be 0 to ${STRIDE_MOST}` });
  }
  const [least, most] = HEIGHT_RANGE;
  if (request.height !== 0 && (request.height < least || request.height > most || request.height % 2 !== 0)) {
    violations.push({ field: "height", description: `is ${request.height}; must be 0 or even, ${least} to ${most}` });
  }
  const seed: Violation[] = seedViolations([request.seed], "seed").map((violation) => ({
    ...violation,
    field: "seed",
  }));
  refuse(seed, violations);
  return {
    environment: request.environment,
    variant: request.variant,
    policySource: request.policySource,
    seed: request.seed,
    stride: request.stride === 0 ? undefined : request.stride,
    height: request.height === 0 ? undefined : request.height,
    limits,
    bodySha256: sha256(rollout.RenderEpisodeRequest.encode(request).finish()),
  };
}

/** The stride where the caller leaves the choice to us. */
export function strideFor(horizon: number): number {
  return Math.max(1, Math.ceil(horizon / FRAMES_WANTED));
}
