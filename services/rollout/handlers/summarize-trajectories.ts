/**
 * `SummarizeTrajectories`: a feedback program over episodes, simulated anew or recorded.
 *
 * With a request_id the first answer is kept and given again. Callers that ask for the same at the same time share one
 * piece of work; at two replicas it is made twice, the answers are equal, and the first one stored stands.
 */
import { type rollout, sim } from "@promptpo/contracts";
import { FleetError, type Handlers } from "@promptpo/service-kit";
import { seedOfNpz } from "../core/npz.ts";
import { parseSummary, type SummarySpec, TRAJECTORY_BYTES_MOST } from "../core/summary-spec.ts";
import { Joined } from "./joined.ts";
import type { Artifacts, Ports, SummaryRecord } from "./ports.ts";
import { requestIdReused } from "./request-id-reused.ts";

export function summarizeTrajectories({
  summaries,
  simulators,
  artifacts,
}: Pick<
  Ports,
  "summaries" | "simulators" | "artifacts"
>): Handlers<rollout.RolloutServiceService>["summarizeTrajectories"] {
  const joined = new Joined<rollout.SummarizeTrajectoriesResponse>();

  async function make(spec: SummarySpec, tenant: string, signal: AbortSignal) {
    const key = spec.requestId === "" ? undefined : { tenant, requestId: spec.requestId };
    const stored = key === undefined ? undefined : await summaries.find(key);
    if (stored !== undefined) return responseOf(stored, spec);
    const simulation = await simulators.simulation(signal);
    const environment = await simulators.environment(simulation, spec.environment, spec.variant, signal);
    const trajectories = await readTrajectories(spec, artifacts);
    const fingerprintDigest = simulation.fingerprint.digest;
    const order = { tenant, environment, fingerprintDigest, spec, trajectories };
    const response = await simulators.summarize(order, signal);
    if (key === undefined) return response;
    return responseOf(await summaries.add(key, { bodySha256: spec.bodySha256, response }), spec);
  }

  return async (request, context) => {
    const spec = parseSummary(request);
    using deadline = simulators.watchDeadline(context.deadlineMs);
    const signal = AbortSignal.any([context.signal, deadline.signal]);
    const name = JSON.stringify([context.tenant, spec.requestId, spec.bodySha256]);
    return joined.run(name, (until) => make(spec, context.tenant, until), signal);
  };
}

function responseOf({ bodySha256, response }: SummaryRecord, spec: SummarySpec): rollout.SummarizeTrajectoriesResponse {
  if (bodySha256 !== spec.bodySha256) throw requestIdReused(spec.requestId);
  return response;
}

/** An archive says its episode's seed; where one of an earlier version does not, its place in the list stands for it. */
async function readTrajectories(spec: SummarySpec, artifacts: Artifacts): Promise<sim.Trajectory[]> {
  if (spec.episodes.kind === "resimulation") return [];
  const read: sim.Trajectory[] = [];
  let size = 0;
  for (const [at, { sha256 }] of spec.episodes.trajectories.entries()) {
    const { sizeBytes, mediaType } = await artifacts.describe(sha256);
    if (mediaType !== "application/x-npz") throw notReadable(`trajectories[${at}]`, mediaType);
    size += Number(sizeBytes);
    if (size > TRAJECTORY_BYTES_MOST) {
      throw new FleetError(
        "MESSAGE_TOO_LARGE",
        `trajectories[0..${at}] have ${size} bytes; ${TRAJECTORY_BYTES_MOST} fit one call. Ask for fewer at a time.`,
      );
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of artifacts.read(sha256, 0)) pieces.push(piece);
    const npz = Buffer.concat(pieces);
    read.push(sim.Trajectory.create({ seed: seedOfNpz(npz) ?? BigInt(at), npz }));
  }
  return read;
}

function notReadable(field: string, mediaType: string): FleetError {
  const description = `is ${mediaType}; feedback programs are shown trajectories that were recorded as NPZ`;
  return new FleetError("INVALID_ARGUMENT", `${field} ${description}`, { violations: [{ field, description }] });
}
