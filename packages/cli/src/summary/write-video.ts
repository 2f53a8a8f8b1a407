// A video of one episode of the best policy, drawn by the rollout service and fetched as an artifact. Never an error: where
// nothing can be drawn, the reason is the result.
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type optimizer, rollout, type types } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import type { Session } from "../session.ts";

/** Five hundred steps of Meta-World at every second step take half a minute on one slow core; the run itself is done. */
const TIMEOUT_MS = 90_000;

export async function writeVideo(
  session: Session,
  settings: optimizer.RunSettings,
  source: string,
  episode: types.EpisodeResult,
  file: string,
  signal: AbortSignal,
): Promise<{ readonly why: string }> {
  try {
    const rendered = await session.rollout.renderEpisode(
      rollout.RenderEpisodeRequest.fromPartial({
        environment: settings.environment,
        variant: settings.variant,
        policySource: source,
        seed: episode.seed,
      }),
      { signal, timeoutMs: TIMEOUT_MS },
    );
    const sha256 = rendered.video?.sha256 ?? "";
    if (sha256 === "") return { why: "the rollout service drew nothing" };
    const pieces = session.rollout.getArtifact(rollout.GetArtifactRequest.fromPartial({ sha256 }), { signal });
    const partial = `${file}.partial`;
    await pipeline(
      Readable.from(pieces).map((piece: rollout.GetArtifactResponse) => Buffer.from(piece.data)),
      createWriteStream(partial),
    );
    await rename(partial, file);
    return { why: "" };
  } catch (error) {
    await rm(`${file}.partial`, { force: true });
    const { message, reason } = FleetError.from(error);
    return { why: `${message} (${reason})` };
  }
}
