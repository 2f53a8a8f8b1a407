/**
 * How long a session lives without a step: the default where nothing is said, and the bounds of what may be said.
 */
import { type Duration, durationToMs } from "@promptpo/contracts";
import type { Violation } from "@promptpo/service-kit/errors.ts";

export interface LeaseBounds {
  /** Milliseconds where a session names none. */
  readonly leaseMs: number;
  /** Milliseconds that a session may name at most. */
  readonly leaseMostMs: number;
}

/** Below it a pause of the network ends sessions that are in use. */
export const LEASE_LEAST_MS = 1_000;

/** Whole milliseconds; undefined where the duration is unset. */
export function compileLease(
  lease: Duration | undefined,
  { leaseMostMs }: Pick<LeaseBounds, "leaseMostMs">,
  path: string,
): { leaseMs: number | undefined; violations: Violation[] } {
  if (lease === undefined) return { leaseMs: undefined, violations: [] };
  const leaseMs = Math.round(durationToMs(lease));
  if (leaseMs >= LEASE_LEAST_MS && leaseMs <= leaseMostMs) return { leaseMs, violations: [] };
  const range = `${LEASE_LEAST_MS / 1_000} to ${leaseMostMs / 1_000} s`;
  return {
    leaseMs: undefined,
    violations: [{ field: path, description: `is ${durationToMs(lease) / 1_000} s; must be from ${range}, or unset` }],
  };
}
