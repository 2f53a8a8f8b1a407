/**
 * `CloseEnvSession`: the session ends now, whatever its sidecars do; closing it again is no error for as long as its
 * record is kept.
 */
import { rollout } from "@promptpo/contracts";
import type { Handlers } from "@promptpo/service-kit";
import type { SessionPorts } from "./session-ports.ts";
import type { SessionWork } from "./session-work.ts";
import { unknownSession } from "./unknown-session.ts";

export function closeEnvSession(
  { records }: Pick<SessionPorts, "records">,
  work: SessionWork,
): Handlers<rollout.RolloutServiceService>["closeEnvSession"] {
  return async ({ id }, { tenant }) => {
    const session = await records.close(tenant, id);
    if (session === undefined) throw unknownSession(id);
    // Also where it was closed before: the first caller may have left before the sidecars were told.
    await work.closeShards(
      id,
      session.shards.map(({ sidecar }) => sidecar),
    );
    return rollout.CloseEnvSessionResponse.create();
  };
}
