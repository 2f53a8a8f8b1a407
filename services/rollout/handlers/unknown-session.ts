/**
 * The error of a session that is not there, or not the caller's: the two look the same.
 */
import { FleetError } from "@promptpo/service-kit";

export function unknownSession(id: string): FleetError {
  return new FleetError(
    "UNKNOWN_SESSION",
    `no session "${id}" is open; it was closed, or its lease lapsed. Create a new one`,
    { metadata: { session: id } },
  );
}
