// Rounds in which everybody takes a turn, one after another: what disturbs the machine disturbs all of them.
import type { Contestant, Measurement } from "./measurement.ts";

/** One list a contestant, a measurement a round. Round 0 warms everybody up and is not among them. */
export async function interleave<Name extends string>(
  contestants: Readonly<Record<Name, Contestant>>,
  rounds: number,
): Promise<Record<Name, readonly Measurement[]>> {
  const names = Object.keys(contestants) as Name[];
  const found = Object.fromEntries(names.map((name) => [name, [] as Measurement[]])) as Record<Name, Measurement[]>;
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const measured = await contestants[name].measure(round);
      if (round > 0) found[name].push(measured);
    }
  }
  return found;
}
