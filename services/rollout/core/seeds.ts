/**
 * What a list of seeds must look like: not empty, not endless, whole numbers that every environment takes, each once.
 */
import type { Violation } from "@promptpo/service-kit/errors.ts";

/** numpy's seeding takes 32 bits; a larger seed would be refused by some simulators and folded by others. */
export const SEED_MOST = 2n ** 32n - 1n;
/** More episodes than any evaluation of the lab; beyond it a typing error costs days. */
export const SEEDS_MOST = 10_000;
/** Enough to see the pattern, few enough to read. */
const VIOLATIONS_MOST = 5;

export function seedViolations(seeds: readonly bigint[], path: string): Violation[] {
  if (seeds.length === 0) return [{ field: path, description: "is empty; name at least one seed" }];
  if (seeds.length > SEEDS_MOST) {
    return [{ field: path, description: `holds ${seeds.length} seeds; at most ${SEEDS_MOST} fit one call` }];
  }
  const violations: Violation[] = [];
  const first = new Map<bigint, number>();
  for (const [at, seed] of seeds.entries()) {
    const before = first.get(seed);
    if (before === undefined) first.set(seed, at);
    else violations.push({ field: `${path}[${at}]`, description: `${seed} stands at ${path}[${before}] already` });
    if (seed < 0n || seed > SEED_MOST) {
      violations.push({ field: `${path}[${at}]`, description: `${seed} is outside 0..${SEED_MOST}` });
    }
    if (violations.length >= VIOLATIONS_MOST) break;
  }
  return violations;
}
