/**
 * A session as asked for, parsed at the door: every field checked and defaulted, seeds expanded.
 *
 * Refuses (all problems at once) what no sidecar could answer. What an environment makes of `options` is the sidecar's to
 * say, whether the environment exists the catalogue's.
 */
import { rollout, sha256 } from "@promptpo/contracts";
import type { Violation } from "@promptpo/service-kit/errors.ts";
import { refuse } from "./evaluation-spec.ts";
import { compileLease, type LeaseBounds } from "./lease.ts";
import { requestIdViolations } from "./request-id.ts";
import { expandSeeds } from "./session-seeds.ts";

export interface SessionSpec {
  readonly environment: string;
  /** As asked for: empty means the default one. */
  readonly variant: string;
  readonly environmentCount: number;
  /** One an environment, or none. */
  readonly seeds: readonly bigint[];
  /** Never UNSPECIFIED. */
  readonly autoresetMode: rollout.AutoresetMode;
  readonly leaseMs: number;
  readonly options: SessionOptions;
  /** Empty: a repeated call makes another session. */
  readonly requestId: string;
  /** Lower-case hex sha-256 over everything that was asked, the request_id left out. */
  readonly bodySha256: string;
}

/** Further keyword arguments of the environment. */
export type SessionOptions = rollout.CreateEnvSessionRequest["options"];

/** More than any machine steps; a typing error beyond it would cost memory for nothing. */
const ENVIRONMENTS_MOST = 65_536;
/** Keyword arguments, not data. */
const OPTIONS_BYTES_MOST = 64 * 1_024;

/** Throws INVALID_SEEDS or INVALID_ARGUMENT. */
export function parseSession(request: rollout.CreateEnvSessionRequest, bounds: LeaseBounds): SessionSpec {
  const { environmentCount } = request;
  const violations: Violation[] = [];
  if (request.environment === "") violations.push({ field: "environment", description: "is empty" });
  const countable = environmentCount >= 1 && environmentCount <= ENVIRONMENTS_MOST;
  if (!countable) {
    const description = `is ${environmentCount}; must be from 1 to ${ENVIRONMENTS_MOST}`;
    violations.push({ field: "environment_count", description });
  }
  const seeds = countable
    ? expandSeeds(request.seeds, environmentCount, "seeds")
    : { seeds: [], violations: [] as Violation[] };
  const lease = compileLease(request.lease, bounds, "lease");
  violations.push(...lease.violations);
  const autoresetMode = modeOf(request.autoresetMode);
  if (autoresetMode === undefined) {
    const description = "is none of AUTORESET_MODE_NEXT_STEP, AUTORESET_MODE_SAME_STEP, AUTORESET_MODE_DISABLED";
    violations.push({ field: "autoreset_mode", description });
  }
  violations.push(...optionsViolations(request.options));
  violations.push(...requestIdViolations(request.requestId, "request_id"));
  refuse(seeds.violations, violations);

  return {
    environment: request.environment,
    variant: request.variant,
    environmentCount,
    seeds: seeds.seeds,
    autoresetMode: autoresetMode ?? rollout.AutoresetMode.AUTORESET_MODE_NEXT_STEP,
    leaseMs: lease.leaseMs ?? bounds.leaseMs,
    options: request.options,
    requestId: request.requestId,
    bodySha256: sha256(rollout.CreateEnvSessionRequest.encode({ ...request, requestId: "" }).finish()),
  };
}

function modeOf(mode: rollout.AutoresetMode): rollout.AutoresetMode | undefined {
  const { AutoresetMode } = rollout;
  if (mode === AutoresetMode.AUTORESET_MODE_UNSPECIFIED) return AutoresetMode.AUTORESET_MODE_NEXT_STEP;
  const known: readonly rollout.AutoresetMode[] = [
    AutoresetMode.AUTORESET_MODE_NEXT_STEP,
    AutoresetMode.AUTORESET_MODE_SAME_STEP,
    AutoresetMode.AUTORESET_MODE_DISABLED,
  ];
  return known.includes(mode) ? mode : undefined;
}

function optionsViolations(options: SessionOptions): Violation[] {
  if (options === undefined) return [];
  const bytes = rollout.CreateEnvSessionRequest.encode(rollout.CreateEnvSessionRequest.create({ options })).finish()
    .length;
  if (bytes <= OPTIONS_BYTES_MOST) return [];
  return [{ field: "options", description: `has ${bytes} bytes; at most ${OPTIONS_BYTES_MOST} are taken` }];
}
