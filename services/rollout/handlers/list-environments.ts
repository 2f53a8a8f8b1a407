/**
 * `ListEnvironments`: one entry an id, without texts, by family then id.
 */
import { rollout } from "@promptpo/contracts";
import type { Handlers } from "@promptpo/service-kit";
import type { Ports } from "./ports.ts";

export function listEnvironments({
  simulators,
}: Pick<Ports, "simulators">): Handlers<rollout.RolloutServiceService>["listEnvironments"] {
  return async (request, context) => {
    using deadline = simulators.watchDeadline(context.deadlineMs);
    const simulation = await simulators.simulation(AbortSignal.any([context.signal, deadline.signal]));
    const page = simulation.catalogue.list({
      family: request.family,
      pageSize: request.pageSize,
      pageToken: request.pageToken,
    });
    return rollout.ListEnvironmentsResponse.create({ ...page, fingerprint: simulation.fingerprint });
  };
}
