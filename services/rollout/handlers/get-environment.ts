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
    const signal = AbortSignal.any([context.signal, deadline.signal]);
    const simulation = await simulators.simulation(signal);
    const found = await simulators.environment(simulation, request.environment, request.variant, signal);
    const basic = request.view === rollout.EnvironmentView.ENVIRONMENT_VIEW_BASIC;
    return rollout.GetEnvironmentResponse.create({
      environment: basic ? withoutTexts(found) : found,
      fingerprint: simulation.fingerprint,
    });
  };
}
