/**
 * What of a stored session its owner is shown.
 */
import type { SessionView } from "../core/session-message.ts";
import type { SessionRecord } from "./session-ports.ts";

export function sessionView({ spec, ...session }: SessionRecord): SessionView {
  return {
    ...session,
    environment: spec.environment,
    variant: spec.variant,
    environmentCount: spec.environmentCount,
    autoresetMode: spec.autoresetMode,
  };
}
