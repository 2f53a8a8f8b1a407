/**
 * What the callers of one evaluation are shown: stored episodes in seed order, the summary, and how far it is.
 *
 * Takes an episode once, from whichever replica it comes. Refuses to mix episodes of two fingerprints.
 */
import { rollout, type types } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import { SeedOrder } from "../core/seed-order.ts";
import type { StoredEpisode } from "./ports.ts";
import { ReplayLog } from "./replay-log.ts";

export class ShownEpisodes {
  readonly messages = new ReplayLog<rollout.EvaluatePolicyResponse>();
  readonly #order: SeedOrder<types.EpisodeResult>;
  #fingerprintDigest: string | undefined;
  #confined = true;
  #stepCount = 0n;

  constructor(episodeCount: number) {
    this.#order = new SeedOrder(episodeCount);
  }

  /** Takes results that are stored. Throws CONFLICT for those of another fingerprint than before. */
  show(episodes: readonly StoredEpisode[]): void {
    for (const { position, result, confined, fingerprintDigest } of episodes) {
      if (this.#order.has(position)) continue;
      this.refuseOther(fingerprintDigest);
      this.#fingerprintDigest = fingerprintDigest;
      this.#confined &&= confined;
      this.#stepCount += result.length;
      const ready = this.#order.put(position, result);
      this.messages.append(...ready.map((value) => ({ part: { $case: "episode" as const, value } })));
    }
  }

  /** Throws CONFLICT where something of another fingerprint was shown: whoever asks again sees one evaluation, whole. */
  refuseOther(fingerprintDigest: string): void {
    if (this.#fingerprintDigest === undefined || this.#fingerprintDigest === fingerprintDigest) return;
    throw new FleetError(
      "CONFLICT",
      "the evaluation was begun anew under another numeric fingerprint or revision of its environment; ask again",
    );
  }

  end(summary: rollout.EvaluationSummary | undefined): void {
    if (summary !== undefined) this.messages.append({ part: { $case: "summary", value: summary } });
    this.messages.end();
  }

  has(position: number): boolean {
    return this.#order.has(position);
  }

  /** Places without a result, ascending. */
  get missing(): number[] {
    return this.#order.missing;
  }

  /** Places whose result is there. */
  get known(): number[] {
    return this.#order.known;
  }

  /** In seed order. */
  get results(): types.EpisodeResult[] {
    return this.#order.values;
  }

  get confined(): boolean {
    return this.#confined;
  }

  /** A message of how far it is; not kept, since nobody needs to know it later. */
  progress(queuedCount: number): rollout.EvaluatePolicyResponse {
    const value = rollout.EvaluationProgress.create({
      episodeCount: BigInt(this.#order.length),
      endedCount: BigInt(this.#order.count),
      stepCount: this.#stepCount,
      queuedCount: BigInt(queuedCount),
    });
    return { part: { $case: "progress", value } };
  }
}
