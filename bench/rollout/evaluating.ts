// Evaluations by the real service as work that is measured.
import { performance } from "node:perf_hooks";
import type { BenchFleet } from "../fleet.ts";
import type { Contestant, Measurement } from "../measurement.ts";

export interface Work {
  readonly environment: string;
  readonly source: string;
  readonly episodes: number;
}

/** One evaluation. Throws where an episode failed: a broken policy is quick. */
export async function evaluated(fleet: BenchFleet, work: Work): Promise<Measurement> {
  const { environment, source } = work;
  const seeds = Array.from({ length: work.episodes }, (_, index) => BigInt(index));
  const begun = performance.now();
  const { episodes, summary } = await fleet.client.evaluate({ environment, policySource: source, seeds });
  const seconds = (performance.now() - begun) / 1000;
  const failed = episodes.find((episode) => episode.error !== undefined);
  if (!summary.confined) throw new Error("the sidecars run policies unconfined (PROMPTPO_UNCONFINED): unset it");
  if (failed?.error !== undefined) throw new Error(`${environment}, seed ${failed.seed}: ${failed.error.message}`);
  return {
    seconds,
    amount: episodes.reduce((sum, episode) => sum + Number(episode.length), 0),
    bits: episodes.map((episode) => episode.returnValue),
    episodes: episodes.length,
  };
}

/** The same work round after round; its source is new each time, as that of a new candidate is. */
export function evaluating(fleet: BenchFleet, work: Work): Contestant {
  return {
    measure: (round) => evaluated(fleet, { ...work, source: renewed(work.source, round) }),
    async [Symbol.asyncDispose]() {},
  };
}

export function renewed(source: string, number: number): string {
  return `${source}\n# ${number}\n`;
}
