/**
 * How long to wait before a sidecar is started or called again. A function of the failures in a row and nothing else.
 */

const FIRST_MS = 100;
/** A sidecar that cannot start costs a core's second each time; ten seconds later is soon enough after a repair. */
const MOST_MS = 10_000;
/** What cannot confine today will hardly confine in ten seconds. */
const REFUSED_MS = 30_000;

export function backoffMs(failures: number, refused: boolean): number {
  if (refused) return REFUSED_MS;
  return failures <= 0 ? 0 : Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20));
}
