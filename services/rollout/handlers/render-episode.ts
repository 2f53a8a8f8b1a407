/**
 * `RenderEpisode`: simulates one episode again, draws it, and keeps the video as an artifact. Whether the environment can
 * be drawn is the sidecar's to say: some need OpenGL and some do not.
 */
import { rollout } from "@promptpo/contracts";
import type { Handlers } from "@promptpo/service-kit";
import { parseRender } from "../core/render-spec.ts";
import type { Ports } from "./ports.ts";

export function renderEpisode({
  simulators,
  artifacts,
}: Pick<Ports, "simulators" | "artifacts">): Handlers<rollout.RolloutServiceService>["renderEpisode"] {
  return async (request, context) => {
    const spec = parseRender(request);
    using deadline = simulators.watchDeadline(context.deadlineMs);
    const signal = AbortSignal.any([context.signal, deadline.signal]);
    const simulation = await simulators.simulation(signal);
    const environment = simulation.catalogue.find(spec.environment, spec.variant);
    const { bytes, summary } = await simulators.render(
      { tenant: context.tenant, environment, fingerprintDigest: simulation.fingerprint.digest, spec },
      signal,
    );
    // A policy that did not start leaves nothing to see; its error is in the episode.
    const video = bytes.length === 0 ? undefined : await artifacts.put(bytes, "video/mp4");
    return rollout.RenderEpisodeResponse.create({ video, episode: summary.episode, frameCount: summary.frameCount });
  };
}
