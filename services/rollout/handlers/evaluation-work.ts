/**
 * The results of one evaluation that this replica works on, as they come together: from the cache, from sidecars.
 *
 * A result is stored before it is shown. Refuses a second result for a place.
 */
import type { rollout, types } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import { type ContentCircumstances, contentKeys } from "../core/content-key.ts";
import type { EvaluationSpec } from "../core/evaluation-spec.ts";
import { commonDigest } from "../core/pinned-id.ts";
import { Batched } from "./batched.ts";
import type { Claim, Ports, SimulatedEpisode, Simulation, StoredEpisode } from "./ports.ts";
import type { ShownEpisodes } from "./shown-episodes.ts";
import { TakenOver } from "./taken-over.ts";

export interface WorkOrder {
  readonly spec: EvaluationSpec;
  readonly tenant: string;
  readonly environment: rollout.Environment;
  readonly simulation: Simulation;
  /** Undefined: nothing is kept under a request_id. */
  readonly claim: Claim | undefined;
  readonly shown: ShownEpisodes;
}

export class EvaluationWork {
  readonly #ports: Ports;
  readonly #order: WorkOrder;
  readonly #contentKeys: readonly string[];
  readonly #circumstances: ContentCircumstances;
  /** What a stored episode must have been simulated under. */
  readonly #commonDigest: string;
  readonly #store: Batched<StoredEpisode, void>;
  cachedCount = 0;

  constructor(ports: Ports, order: WorkOrder) {
    const { spec, environment, simulation } = order;
    this.#ports = ports;
    this.#order = order;
    this.#circumstances = {
      variant: environment.variant,
      revision: environment.revision,
      fingerprintDigest: simulation.fingerprint.digest,
      confined: simulation.confined,
    };
    this.#commonDigest = commonDigest(simulation.fingerprint.digest, environment);
    this.#contentKeys = ports.exactEpisodes === undefined ? [] : contentKeys(spec, this.#circumstances);
    this.#store = new Batched((episodes) => this.#write(episodes));
  }

  async fillFromCache(): Promise<void> {
    const { exactEpisodes, artifacts } = this.#ports;
    if (exactEpisodes === undefined) return;
    const { shown } = this.#order;
    const missing = shown.missing;
    const known = await exactEpisodes.find(missing.flatMap((position) => this.#contentKeys[position] ?? []));
    const found: StoredEpisode[] = [];
    for (const position of missing) {
      const result = known.get(this.#contentKeys[position] ?? "");
      if (result === undefined) continue;
      // A trajectory that was cleared away has to be recorded anew.
      if (result.trajectory !== undefined && !(await artifacts.has(result.trajectory.sha256))) continue;
      const { confined } = this.#circumstances;
      found.push({ position, result, confined, fingerprintDigest: this.#commonDigest });
    }
    if (found.length === 0) return;
    await this.#keep(found);
    this.cachedCount += found.length;
    for (const { result } of found) this.#count(result, true);
    shown.show(found);
  }

  async simulated({ position, result, confined, trajectory }: SimulatedEpisode): Promise<void> {
    // A dependent episode is simulated again together with those that were missing.
    if (this.#order.shown.has(position)) return;
    const recorded = trajectory === undefined ? undefined : await this.#record(trajectory, result.seed);
    const whole = recorded === undefined ? result : { ...result, trajectory: recorded };
    this.#count(result, false);
    await this.#store.add({ position, result: whole, confined, fingerprintDigest: this.#commonDigest });
  }

  #record(npz: Uint8Array, seed: bigint): Promise<types.ArtifactRef> {
    const { captureFormat: format, captureStride: stride } = this.#order.spec;
    const { bytes, mediaType } = this.#ports.trajectoryFiles.encode({ npz, seed, format, stride });
    return this.#ports.artifacts.put(bytes, mediaType);
  }

  #count(result: StoredEpisode["result"], cached: boolean): void {
    const { environment, tenant } = this.#order;
    this.#ports.metrics.episode({ environment, tenant, result, cached });
  }

  async #write(episodes: readonly StoredEpisode[]): Promise<void> {
    const exact = new Map(
      episodes
        .filter(({ confined }) => confined === this.#order.simulation.confined)
        .map(({ position, result }) => [this.#contentKeys[position] ?? "", result] as const),
    );
    await Promise.all([this.#keep(episodes), this.#ports.exactEpisodes?.add(exact)]);
    this.#order.shown.show(episodes);
  }

  async #keep(episodes: readonly StoredEpisode[]): Promise<void> {
    const { claim } = this.#order;
    if (claim === undefined) return;
    const state = await this.#ports.evaluations.addEpisodes(claim, episodes);
    if (state === "CANCELLED") throw new FleetError("CANCELLED", `evaluation ${claim.key.requestId} was cancelled`);
    // Another replica took us for dead. What it stores has the same bits.
    if (state !== "OPEN") throw new TakenOver();
  }
}
