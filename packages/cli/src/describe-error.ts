// Any failure for a terminal: what, where and why in its own words, then the next command. Pure.
import { FleetProblem } from "@promptpo/fleet";
import { ConfigError, FleetError, type Reason } from "@promptpo/service-kit";
import { UsageError } from "./usage-error.ts";

/** The command that helps on, by reason; errors whose message says it already have none. */
const NEXT: Partial<Record<Reason, string>> = {
  UNKNOWN_ENVIRONMENT: "promptpo envs",
  UNKNOWN_VARIANT: "promptpo envs ENV",
  UNKNOWN_MODEL: "promptpo models",
  UNKNOWN_RUN: "promptpo list",
  UNKNOWN_CANDIDATE: "promptpo get RUN --full",
  RUN_NOT_ACTIVE: "promptpo get RUN",
  RUN_STILL_ACTIVE: "promptpo watch RUN",
  SERVICE_UNAVAILABLE: "promptpo doctor",
  INTERNAL: "promptpo doctor",
};

export function describeError(error: unknown): string {
  if (error instanceof UsageError) return `error: ${error.message}\n  ${error.next}`;
  if (error instanceof FleetProblem) return `error: ${error.describe()}`;
  if (error instanceof ConfigError) return `error: ${error.message}`;
  if (error instanceof FleetError) return describeFleetError(error);
  return `error: ${error instanceof Error ? error.message : String(error)}`;
}

function describeFleetError(error: FleetError): string {
  const lines = [`error: ${error.message}`];
  for (const { field, description } of error.violations ?? []) lines.push(`  ${field}: ${description}`);
  const near = error.metadata["nearest"];
  if (near !== undefined && near !== "" && !near.split(",").every((name) => error.message.includes(name.trim())))
    lines.push(
      `  did you mean ${near
        .split(",")
        .map((name) => name.trim())
        .join(", ")}?`,
    );
  const next = NEXT[error.reason];
  if (next !== undefined && !error.message.includes("promptpo ")) lines.push(`  next: ${next}`);
  lines.push(`  (${error.reason}${error.requestId === undefined ? "" : `, request ${error.requestId}`})`);
  return lines.join("\n");
}
