/**
 * `SummarizeTrajectories`: a feedback program over episodes, simulated anew or recorded.
 *
 * With a request_id the first answer is kept and given again. Callers that ask at the same time each have it made: the
 * answers are equal, and the first one stored stands.
 */
import { type rollout, sim } from "@promptpo/contracts";
import { FleetError, type Handlers } from "@promptpo/service-kit";
import { parseSummary, type SummarySpec, TRAJECTORY_BYTES_MOST } from "../core/summary-spec.ts";
import type { Artifacts, Ports } from "./ports.ts";
import { requestIdReused } from "./request-id-reused.ts";

export function summarizeTrajectories({
  summaries,
  simulators,
  artifacts,
}: Pick<
  Ports,
  "summaries" | "simulators" | "artifacts"
>): Handlers<rollout.RolloutServiceService>["summarizeTrajectories"] {
  return async (request, context) => {
    const spec = parseSummary(request);
    const key = spec.requestId === "" ? undefined : { tenant: context.tenant, requestId: spec.requestId };
    const stored = key === undefined ? undefined : await summaries.find(key);
    if (stored !== undefined) {
      if (stored.bodySha256 !== spec.bodySha256) throw requestIdReused(spec.requestId);
      return stored.response;
    }
    using deadline = simulators.watchDeadline(context.deadlineMs);
    const signal = AbortSignal.any([context.signal, deadline.signal]);
    const simulation = await simulators.simulation(signal);
    const environment = simulation.catalogue.find(spec.environment, spec.variant);
    const trajectories = await readTrajectories(spec, artifacts);
    const response = await simulators.summarize(
      {
        tenant: context.tenant,
        environment,
        fingerprintDigest: simulation.fingerprint.digest,
        spec,
        trajectories,
      },
      signal,
    );
    if (key === undefined) return response;
    const kept = await summaries.add(key, { bodySha256: spec.bodySha256, response });
    if (kept.bodySha256 !== spec.bodySha256) throw requestIdReused(spec.requestId);
    return kept.response;
  };
}

/** An artifact does not know its episode's seed, so the answer's `seed` is the place in the list. */
async function readTrajectories(spec: SummarySpec, artifacts: Artifacts): Promise<sim.Trajectory[]> {
  if (spec.episodes.kind === "resimulation") return [];
  const read: sim.Trajectory[] = [];
  let size = 0;
  for (const [at, { sha256 }] of spec.episodes.trajectories.entries()) {
    size += Number((await artifacts.describe(sha256)).sizeBytes);
    if (size > TRAJECTORY_BYTES_MOST) {
      throw new FleetError(
        "MESSAGE_TOO_LARGE",
        `trajectories[0..${at}] have ${size} bytes; ${TRAJECTORY_BYTES_MOST} fit one call. Ask for fewer at a time.`,
      );
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of artifacts.read(sha256, 0)) pieces.push(piece);
    read.push(sim.Trajectory.create({ seed: BigInt(at), npz: Buffer.concat(pieces) }));
  }
  return read;
}
