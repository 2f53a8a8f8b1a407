/** The part of service-kit that a service's pure core may import: errors and the table of reasons. */
export { FleetError, type FleetErrorOptions } from "./errors/fleet-error.ts";
export { nearest } from "./errors/nearest.ts";
export { ERROR_DOMAIN, isReason, REASONS, type Reason, type ReasonRow, reasonOfCode } from "./errors/reasons.ts";
export type { Violation } from "./errors/violation.ts";
