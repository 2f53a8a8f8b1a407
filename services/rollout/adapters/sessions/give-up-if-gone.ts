/**
 * A sidecar of another's that does not answer is given up, so that it is looked for anew and nothing is placed on it.
 *
 * One of our own needs no such judgement: its process ends, and that is seen at once. One that is merely slow is kept.
 */
import type { FleetError } from "@promptpo/service-kit";
import type { SidecarLink } from "../sidecars/sidecar-link.ts";

export function giveUpIfGone(link: SidecarLink, error: FleetError): void {
  if (error.reason === "SIDECAR_UNAVAILABLE" && !link.isOwn && !link.gone.aborted) link.abandon(error.message);
}
