/**
 * The seeds of a session: one an environment, or one from which they count up, or none.
 *
 * Unlike an evaluation's seeds they may repeat: two environments that walk alike are the caller's business.
 */
import type { Violation } from "@promptpo/service-kit/errors.ts";
import { SEED_MOST } from "./seeds.ts";

export function expandSeeds(
  seeds: readonly bigint[],
  environmentCount: number,
  path: string,
): { seeds: readonly bigint[]; violations: Violation[] } {
  const refused = (description: string, field = path) => ({ seeds: [], violations: [{ field, description }] });
  if (seeds.length > 1 && seeds.length !== environmentCount) {
    return refused(`holds ${seeds.length} seeds for ${environmentCount} environments; give one an environment, or one`);
  }
  const outside = seeds.findIndex((seed) => seed < 0n || seed > SEED_MOST);
  if (outside >= 0) return refused(`${seeds[outside]} is outside 0..${SEED_MOST}`, `${path}[${outside}]`);
  const [first] = seeds;
  if (first === undefined || seeds.length === environmentCount) return { seeds, violations: [] };
  const last = first + BigInt(environmentCount - 1);
  if (last > SEED_MOST) {
    return refused(`${first} counts up to ${last} over ${environmentCount} environments; the most is ${SEED_MOST}`);
  }
  return { seeds: Array.from({ length: environmentCount }, (_, at) => first + BigInt(at)), violations: [] };
}
