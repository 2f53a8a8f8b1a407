/**
 * Which errors of a sidecar speak of the sidecar and not of what was asked: another one may do better.
 */
import type { Reason } from "@promptpo/service-kit/errors.ts";

const LOSSES: ReadonlySet<Reason> = new Set([
  "SIDECAR_UNAVAILABLE",
  "SERVICE_UNAVAILABLE",
  "SIDECAR_DIED",
  "SHUTTING_DOWN",
  "CANCELLED",
]);

export function isSidecarLoss(reason: Reason): boolean {
  return LOSSES.has(reason);
}
