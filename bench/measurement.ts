// What is compared: somebody who does a piece of work when told to, and what a turn came to.
import { z } from "zod";

export const Measurement = z.object({
  /** Wall-clock time of the work alone. */
  seconds: z.number().positive(),
  /** Environment steps. */
  amount: z.number().int().positive(),
  /** Returns that everybody in the row must have to the last bit, in an order that all share; empty: speed alone. */
  bits: z.array(z.number()),
  /** Episodes that the steps were; 0 where they are not counted. */
  episodes: z.number().int().nonnegative(),
});

export type Measurement = z.infer<typeof Measurement>;

/** Ready to work, and quiet until asked. Closed by whoever opened it. */
export interface Contestant extends AsyncDisposable {
  measure(round: number): Promise<Measurement>;
}

/** Steps a second. */
export function rate(measurement: Measurement): number {
  return measurement.amount / measurement.seconds;
}
