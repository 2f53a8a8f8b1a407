// The exit codes of every command, in one table, and which failure ends with which.
import { status } from "@grpc/grpc-js";
import { FleetProblem } from "@promptpo/fleet";
import { ConfigError, FleetError } from "@promptpo/service-kit";
import { UsageError } from "./usage-error.ts";

export const EXIT = {
  ok: 0,
  /** The work was done and its outcome is a failure, or a fault of ours. */
  failed: 1,
  usage: 2,
  notFound: 3,
  permission: 4,
  unavailable: 5,
  /** A budget or a quota is used up. */
  budget: 6,
  /** The fleet, the machine or the run is not in the state that the command needs. */
  precondition: 7,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError || error instanceof ConfigError) return EXIT.usage;
  if (error instanceof FleetProblem) return EXIT.precondition;
  if (!(error instanceof FleetError)) return EXIT.failed;
  // The same code as a quota's, but nothing is used up: the request has to change.
  if (error.reason === "MESSAGE_TOO_LARGE") return EXIT.usage;
  switch (error.code) {
    case status.INVALID_ARGUMENT:
    case status.OUT_OF_RANGE:
      return EXIT.usage;
    case status.NOT_FOUND:
      return EXIT.notFound;
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
      return EXIT.permission;
    case status.UNAVAILABLE:
    case status.DEADLINE_EXCEEDED:
      return EXIT.unavailable;
    case status.RESOURCE_EXHAUSTED:
      return EXIT.budget;
    case status.FAILED_PRECONDITION:
    case status.ABORTED:
    case status.ALREADY_EXISTS:
      return EXIT.precondition;
    default:
      return EXIT.failed;
  }
}
