/**
 * What an aborted signal means as an error.
 */
import { FleetError } from "../errors/fleet-error.ts";

/** The signal's reason where it is a FleetError; a timeout is DEADLINE_EXCEEDED; anything else CANCELLED. */
export function abortError(signal: AbortSignal): FleetError {
  const reason: unknown = signal.reason;
  if (reason instanceof FleetError) return reason;
  if (reason instanceof Error && reason.name === "TimeoutError") return FleetError.from(reason);
  return new FleetError("CANCELLED", "the call was cancelled", { cause: reason });
}
