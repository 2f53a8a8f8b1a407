/**
 * Bounds of one policy's doings: unset fields get the service's defaults, set ones are held to a range.
 *
 * A limit is part of a result (it decides whether an episode fails), so the compiled form goes into content keys.
 * Refuses nothing by itself: problems come back as violations, for the caller to answer with all of them at once.
 */
import { type Duration, durationFromMs, durationToMs, rollout } from "@promptpo/contracts";
import type { Violation } from "@promptpo/service-kit/errors.ts";

export interface CompiledLimits {
  /** CPU time of one action. */
  readonly actionCpuMs: number;
  /** CPU time of the policy over an episode. */
  readonly episodeCpuMs: number;
  /** Wall-clock backstop of an episode. */
  readonly episodeWallMs: number;
  /** Address space of the policy's process. */
  readonly memoryBytes: number;
}

/** CPU decides in practice; the wall limit only ends what waits without computing, so a busy machine changes nothing. */
export const DEFAULT_LIMITS: CompiledLimits = {
  actionCpuMs: 2_000,
  episodeCpuMs: 120_000,
  episodeWallMs: 900_000,
  memoryBytes: 2 ** 30,
};

/** A limit below is met by an honest policy's first call, one above occupies a core for longer than anybody waits. */
const RANGES: Readonly<Record<keyof CompiledLimits, readonly [least: number, most: number]>> = {
  actionCpuMs: [1, 60_000],
  episodeCpuMs: [10, 3_600_000],
  episodeWallMs: [100, 7_200_000],
  memoryBytes: [64 * 2 ** 20, 16 * 2 ** 30],
};

const FIELDS: Readonly<Record<keyof CompiledLimits, string>> = {
  actionCpuMs: "action_cpu",
  episodeCpuMs: "episode_cpu",
  episodeWallMs: "episode_wall",
  memoryBytes: "memory_bytes",
};

/** The limits with defaults filled in. `path` names the message in violations, e.g. `limits`. */
export function compileLimits(
  limits: rollout.PolicyLimits | undefined,
  path: string,
): { limits: CompiledLimits; violations: Violation[] } {
  const compiled: CompiledLimits = {
    actionCpuMs: milliseconds(limits?.actionCpu) ?? DEFAULT_LIMITS.actionCpuMs,
    episodeCpuMs: milliseconds(limits?.episodeCpu) ?? DEFAULT_LIMITS.episodeCpuMs,
    episodeWallMs: milliseconds(limits?.episodeWall) ?? DEFAULT_LIMITS.episodeWallMs,
    // Zero is proto3's "not set" for a plain number.
    memoryBytes:
      limits === undefined || limits.memoryBytes === 0n ? DEFAULT_LIMITS.memoryBytes : Number(limits.memoryBytes),
  };
  const violations: Violation[] = [];
  for (const key of ["actionCpuMs", "episodeCpuMs", "episodeWallMs", "memoryBytes"] as const) {
    const [least, most] = RANGES[key];
    const value = compiled[key];
    if (value >= least && value <= most) continue;
    const [unit, scale] = key === "memoryBytes" ? ["bytes", 1] : ["s", 1_000];
    violations.push({
      field: `${path}.${FIELDS[key]}`,
      description: `is ${value / scale} ${unit}; must be from ${least / scale} to ${most / scale} ${unit}, or unset`,
    });
  }
  return { limits: compiled, violations };
}

/** The limits as a sidecar wants them: every field set. */
export function limitsMessage(limits: CompiledLimits): rollout.PolicyLimits {
  return rollout.PolicyLimits.fromPartial({
    actionCpu: durationFromMs(limits.actionCpuMs),
    episodeCpu: durationFromMs(limits.episodeCpuMs),
    episodeWall: durationFromMs(limits.episodeWallMs),
    memoryBytes: BigInt(limits.memoryBytes),
  });
}

function milliseconds(duration: Duration | undefined): number | undefined {
  return duration === undefined ? undefined : durationToMs(duration);
}
