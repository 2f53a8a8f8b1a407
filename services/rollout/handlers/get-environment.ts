/**
 * `GetEnvironment`: one environment in one variant, with its texts unless the BASIC view is asked for.
 */
import { rollout } from "@promptpo/contracts";
import type { Handlers } from "@promptpo/service-kit";
import { withoutTexts } from "../core/catalogue.ts";
import type { Ports } from "./ports.ts";

export function getEnvironment({
  simulators,
}: Pick<Ports, "simulators">): Handlers<rollout.RolloutServiceService>["getEnvironment"] {
  return async (request, context) => {
    using deadline = simulators.watchDeadline(context.deadlineMs);
    const simulation = await simulators.simulation(AbortSignal.any([context.signal, deadline.signal]));
    const found = simulation.catalogue.find(request.environment, request.variant);
    const basic = request.view === rollout.EnvironmentView.ENVIRONMENT_VIEW_BASIC;
    return rollout.GetEnvironmentResponse.create({
      environment: basic ? withoutTexts(found) : found,
      fingerprint: simulation.fingerprint,
    });
  };
}
