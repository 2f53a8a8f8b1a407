/**
 * `RenderEpisode`: simulates one episode again, draws it, and keeps the video as an artifact. Callers that ask for the
 * same at the same time share one video. Whether the environment can be drawn is the sidecar's to say: some need OpenGL.
 */
import { rollout } from "@promptpo/contracts";
import type { Handlers } from "@promptpo/service-kit";
import { parseRender, type RenderSpec } from "../core/render-spec.ts";
import { Joined } from "./joined.ts";
import type { Ports } from "./ports.ts";

export function renderEpisode({
  simulators,
  artifacts,
}: Pick<Ports, "simulators" | "artifacts">): Handlers<rollout.RolloutServiceService>["renderEpisode"] {
  const joined = new Joined<rollout.RenderEpisodeResponse>();

  async function make(spec: RenderSpec, tenant: string, signal: AbortSignal) {
    const simulation = await simulators.simulation(signal);
    const environment = await simulators.environment(simulation, spec.environment, spec.variant, signal);
    const fingerprintDigest = simulation.fingerprint.digest;
    const { bytes, summary } = await simulators.render({ tenant, environment, fingerprintDigest, spec }, signal);
    // A policy that did not start leaves nothing to see; its error is in the episode.
    const video = bytes.length === 0 ? undefined : await artifacts.put(bytes, "video/mp4");
    return rollout.RenderEpisodeResponse.create({ video, episode: summary.episode, frameCount: summary.frameCount });
  }

  return async (request, context) => {
    const spec = parseRender(request);
    using deadline = simulators.watchDeadline(context.deadlineMs);
    const signal = AbortSignal.any([context.signal, deadline.signal]);
    const name = JSON.stringify([context.tenant, spec.bodySha256]);
    return joined.run(name, (until) => make(spec, context.tenant, until), signal);
  };
}
