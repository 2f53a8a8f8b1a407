// Seeds on the command line: lists and ranges mixed (`0,1,2,51`, `0..4`, `0..4,51`), in the order given, each once. What a
// seed may be is the environment's business; here they are whole numbers.
import { UsageError } from "./usage-error.ts";

/** A mistyped range must not fill the memory. */
const SEEDS_MOST = 100_000;
const EXAMPLE = "Write lists and ranges: --seeds 0,1,2,51 or --seeds 0..4";

export function parseSeeds(text: string): bigint[] {
  const seeds: bigint[] = [];
  const seen = new Set<bigint>();
  for (const part of text.split(",")) {
    const match = /^\s*(\d{1,18})(?:\.\.(\d{1,18}))?\s*$/.exec(part);
    if (match?.[1] === undefined)
      throw new UsageError(`"${part.trim()}" in "${text}" is neither a seed nor a range`, EXAMPLE);
    const first = BigInt(match[1]);
    const last = match[2] === undefined ? first : BigInt(match[2]);
    if (last < first) throw new UsageError(`the range ${part.trim()} runs backwards`, `Write ${last}..${first}`);
    if (last - first >= BigInt(SEEDS_MOST) || seeds.length + Number(last - first) >= SEEDS_MOST)
      throw new UsageError(`"${text}" names more than ${SEEDS_MOST} seeds`, "Split it into several commands.");
    for (let seed = first; seed <= last; seed += 1n) {
      if (seen.has(seed)) throw new UsageError(`seed ${seed} is named twice in "${text}"`, "Name each seed once.");
      seen.add(seed);
      seeds.push(seed);
    }
  }
  return seeds;
}

/** The other way round, as short as it goes: `0..4,51`. */
export function formatSeeds(seeds: readonly bigint[]): string {
  const parts: string[] = [];
  for (let at = 0; at < seeds.length; ) {
    let end = at;
    while (end + 1 < seeds.length && seeds[end + 1] === (seeds[end] ?? 0n) + 1n) end += 1;
    parts.push(end - at >= 2 ? `${seeds[at]}..${seeds[end]}` : seeds.slice(at, end + 1).join(","));
    at = end + 1;
  }
  return parts.join(",");
}
