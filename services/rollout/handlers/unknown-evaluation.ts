/**
 * The error of a request_id that no evaluation of the tenant has.
 */
import { FleetError } from "@promptpo/service-kit";

export function unknownEvaluation(requestId: string): FleetError {
  return new FleetError(
    "UNKNOWN_EVALUATION",
    `no evaluation with request_id "${requestId}" is kept; only evaluations that were given a request_id are`,
    { metadata: { request_id: requestId } },
  );
}
