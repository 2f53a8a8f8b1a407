/**
 * The error of a request_id that stands for another request already.
 */
import { FleetError } from "@promptpo/service-kit";

export function requestIdReused(requestId: string): FleetError {
  return new FleetError(
    "REQUEST_ID_REUSED",
    `request_id ${requestId} was used for a different request; repeat that request, or choose a new id`,
    { metadata: { request_id: requestId } },
  );
}
