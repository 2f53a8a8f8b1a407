// The environment as a run's log keeps it: canonical JSON that reads back as the same message.
import { canonicalJson, rollout } from "@promptpo/contracts";

export function environmentJson(environment: rollout.Environment): string {
  return canonicalJson(JSON.parse(JSON.stringify(rollout.Environment.toJSON(environment), finite)));
}

/** JSON has no infinity, and an action space may have no bounds: as words they are read back. */
function finite(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
