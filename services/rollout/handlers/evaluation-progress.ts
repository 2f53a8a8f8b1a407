/**
 * The results of one evaluation as they come together: from the store, from the cache, from sidecars.
 *
 * A result is stored before it is shown, and shown in seed order. Refuses a second result for a place.
 */
import type { rollout, types } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import { type ContentCircumstances, contentKeys } from "../core/content-key.ts";
import type { EvaluationSpec } from "../core/evaluation-spec.ts";
import { SeedOrder } from "../core/seed-order.ts";
import { Batched } from "./batched.ts";
import type { EvaluationKey, Ports, SimulatedEpisode, Simulation, StoredEpisode } from "./ports.ts";
import type { ReplayLog } from "./replay-log.ts";

const TRAJECTORY_MEDIA_TYPE = "application/x-npz";

export class EvaluationProgress {
  readonly #ports: Ports;
  readonly #spec: EvaluationSpec;
  readonly #environment: rollout.Environment;
  readonly #simulation: Simulation;
  readonly #key: EvaluationKey | undefined;
  readonly #messages: ReplayLog<rollout.EvaluatePolicyResponse>;
  readonly #order: SeedOrder<types.EpisodeResult>;
  readonly #contentKeys: readonly string[];
  readonly #circumstances: ContentCircumstances;
  readonly #store: Batched<StoredEpisode, void>;
  confined = true;
  cachedCount = 0;

  constructor(
    ports: Ports,
    spec: EvaluationSpec,
    environment: rollout.Environment,
    simulation: Simulation,
    key: EvaluationKey | undefined,
    messages: ReplayLog<rollout.EvaluatePolicyResponse>,
  ) {
    this.#ports = ports;
    this.#spec = spec;
    this.#environment = environment;
    this.#simulation = simulation;
    this.#key = key;
    this.#messages = messages;
    this.#order = new SeedOrder(spec.seeds.length);
    this.#circumstances = {
      variant: environment.variant,
      fingerprintDigest: simulation.fingerprint.digest,
      confined: simulation.confined,
    };
    this.#contentKeys = ports.exactEpisodes === undefined ? [] : contentKeys(spec, this.#circumstances);
    this.#store = new Batched((episodes) => this.#write(episodes));
  }

  get missing(): number[] {
    return this.#order.missing;
  }
  get done(): Set<number> {
    const missing = new Set(this.#order.missing);
    return new Set([...this.#spec.seeds.keys()].filter((position) => !missing.has(position)));
  }
  get results(): types.EpisodeResult[] {
    return this.#order.values;
  }

  /** Takes results that are stored. */
  show(episodes: readonly StoredEpisode[]): void {
    for (const { position, result, confined } of episodes) {
      this.confined &&= confined;
      const ready = this.#order.put(position, result);
      this.#messages.append(...ready.map((value) => ({ part: { $case: "episode" as const, value } })));
    }
  }

  async fillFromCache(): Promise<void> {
    const { exactEpisodes, artifacts } = this.#ports;
    if (exactEpisodes === undefined) return;
    const missing = this.#order.missing;
    const known = await exactEpisodes.find(missing.flatMap((position) => this.#contentKeys[position] ?? []));
    const found: StoredEpisode[] = [];
    for (const position of missing) {
      const result = known.get(this.#contentKeys[position] ?? "");
      if (result === undefined) continue;
      // A trajectory that was cleared away has to be recorded anew.
      if (result.trajectory !== undefined && !(await artifacts.has(result.trajectory.sha256))) continue;
      found.push({ position, result, ...this.#circumstances });
    }
    if (found.length === 0) return;
    await this.#keep(found);
    this.cachedCount += found.length;
    for (const { result } of found) {
      this.#ports.metrics.episode({ family: this.#environment.family, result, cached: true });
    }
    this.show(found);
  }

  async simulated({ position, result, confined, trajectory }: SimulatedEpisode): Promise<void> {
    // A dependent episode is simulated again together with those that were missing.
    if (this.#order.has(position)) return;
    const recorded =
      trajectory === undefined ? undefined : await this.#ports.artifacts.put(trajectory, TRAJECTORY_MEDIA_TYPE);
    const whole = recorded === undefined ? result : { ...result, trajectory: recorded };
    const { fingerprintDigest } = this.#circumstances;
    this.#ports.metrics.episode({ family: this.#environment.family, result, cached: false });
    await this.#store.add({ position, result: whole, confined, fingerprintDigest });
  }

  async #write(episodes: readonly StoredEpisode[]): Promise<void> {
    const exact = new Map(
      episodes
        .filter(({ confined }) => confined === this.#simulation.confined)
        .map(({ position, result }) => [this.#contentKeys[position] ?? "", result] as const),
    );
    await Promise.all([this.#keep(episodes), this.#ports.exactEpisodes?.add(exact)]);
    this.show(episodes);
  }

  async #keep(episodes: readonly StoredEpisode[]): Promise<void> {
    if (this.#key === undefined) return;
    const state = await this.#ports.evaluations.addEpisodes(this.#key, episodes);
    // On any replica: nothing is added any more. SUCCEEDED means that another one was faster, with the same bits.
    if (state === "CANCELLED") throw new FleetError("CANCELLED", `evaluation ${this.#key.requestId} was cancelled`);
  }
}
