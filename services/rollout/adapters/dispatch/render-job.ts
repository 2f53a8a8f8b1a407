/**
 * A video of one episode as a job of one unit.
 */
import { rollout, sha256, sim } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import { limitsMessage } from "../../core/limits.ts";
import { pinnedId } from "../../core/pinned-id.ts";
import { strideFor } from "../../core/render-spec.ts";
import type { RenderedVideo, RenderOrder } from "../../handlers/ports.ts";
import type { Job } from "./job.ts";

/** A video is held in memory until its hash is known; beyond this somebody draws a film. */
const VIDEO_BYTES_MOST = 256 * 2 ** 20;
/** Drawing a frame in software takes about as long as this many steps. */
const FRAME_COST_STEPS = 50;

export function renderJob(order: RenderOrder, keep: (video: RenderedVideo) => void): Job {
  const { spec, environment } = order;
  const horizon = Number(environment.horizon);
  const stride = spec.stride ?? strideFor(horizon);
  return {
    tenant: order.tenant,
    describe: () => `the video of seed ${spec.seed} of ${environment.id}`,
    evidence: () => ({
      environment: environment.id,
      variant: environment.variant,
      seed: String(spec.seed),
      policy_sha256: sha256(spec.policySource),
    }),
    family: environment.family,
    fingerprintDigest: order.fingerprintDigest,
    unitCount: 1,
    unitCost: horizon + Math.ceil(horizon / stride) * FRAME_COST_STEPS,
    done: new Set(),
    whole: true,

    async run(link, _units, block) {
      const request = rollout.RenderEpisodeRequest.fromPartial({
        environment: pinnedId(environment),
        variant: environment.variant,
        policySource: spec.policySource,
        seed: spec.seed,
        stride,
        height: spec.height ?? 0,
        limits: limitsMessage(spec.limits),
      });
      const pieces: Uint8Array[] = [];
      let size = 0;
      let summary: sim.RenderSummary | undefined;
      for await (const { part } of link.client.render(sim.RenderRequest.create({ request }), {
        signal: block.signal,
      })) {
        block.alive();
        if (part?.$case === "data") {
          size += part.value.length;
          if (size > VIDEO_BYTES_MOST) throw tooLarge(environment.id);
          pieces.push(part.value);
        }
        if (part?.$case === "summary") summary = part.value;
      }
      if (summary === undefined) {
        throw new FleetError("SIDECAR_UNAVAILABLE", "the sidecar ended a video without its summary");
      }
      const video = { bytes: Buffer.concat(pieces), summary };
      await block.done(0, async () => keep(video));
    },
  };
}

function tooLarge(environment: string): FleetError {
  return new FleetError(
    "MESSAGE_TOO_LARGE",
    `the video of ${environment} is larger than ${VIDEO_BYTES_MOST} bytes; ask for a greater stride or a smaller height`,
  );
}
