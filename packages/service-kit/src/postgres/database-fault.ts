/**
 * Which errors of the driver mean that the database is away, and which that two writers met.
 *
 * Everything else (a unique violation, a syntax error) passes unchanged: stores read its SQLSTATE in `code`.
 */
import { FleetError } from "../errors/fleet-error.ts";

/** Of node: the connection could not be made or broke. */
const NETWORK = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT", // A unix socket that is not there yet.
]);
/** The server is stopping, starting, recovering, or out of connections; class 08 is the connection itself. */
const SERVER = /^(?:57P0[123]|53300|08\w{3})$/;
/** The driver's own words for a connection that went away; it gives them no code. */
const DRIVER = /connection terminated|timeout exceeded when trying to connect|not queryable|Connection ended/i;
/** Serialization failure, deadlock. */
const CONFLICT = /^40(?:001|P01)$/;

/** The error as callers get it. */
export function databaseFault(error: unknown): unknown {
  if (error instanceof FleetError || !(error instanceof Error)) return error;
  const code = codeOf(error);
  if (isUnavailable(error, code)) {
    return new FleetError(
      "DATABASE_UNAVAILABLE",
      "the service's database does not answer; the work goes on when it is back",
      { cause: error },
    );
  }
  if (CONFLICT.test(code)) {
    return new FleetError("CONFLICT", "another writer was faster; read again and repeat", { cause: error });
  }
  return error;
}

function isUnavailable(error: Error, code: string): boolean {
  // Node tries every address of a name and gives their failures together.
  if (error instanceof AggregateError && error.errors.length > 0) {
    return error.errors.every((one: unknown) => one instanceof Error && isUnavailable(one, codeOf(one)));
  }
  return NETWORK.has(code) || SERVER.test(code) || (code === "" && DRIVER.test(error.message));
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}
