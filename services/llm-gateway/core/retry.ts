/**
 * When a provider is asked again. Pure: the clock and the dice are arguments.
 */

/** The longest pause that the gateway chooses itself; a provider's Retry-After may be longer. */
const LONGEST_PAUSE_MS = 30_000;

/**
 * Milliseconds that the provider asks to wait: `retry-after-ms`, or `retry-after` in seconds or as an HTTP date.
 * Undefined where it asks for nothing, or for something that is no time.
 */
export function retryAfterMs(header: (name: string) => string | null | undefined, nowMs: number): number | undefined {
  const ms = decimal(header("retry-after-ms"));
  if (ms !== undefined) return ms;
  const text = header("retry-after")?.trim();
  if (text === undefined || text === "") return undefined;
  const seconds = decimal(text);
  if (seconds !== undefined) return seconds * 1000;
  // Date.parse reads much that is no HTTP date (`-1`); those begin with the day's name.
  const at = /^[A-Z][a-z]{2}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/**
 * The pause after failed attempt `attempt` (from 1): doubled each time, with the upper half left to the dice so that
 * callers that failed together do not come back together. Never shorter than what the provider asked for, and at most
 * a fifth of a second over it: those who were told the same moment should not all come at it.
 */
export function pauseMs(options: {
  readonly attempt: number;
  readonly baseMs: number;
  readonly askedMs: number | undefined;
  readonly random: number;
}): number {
  if (options.askedMs !== undefined) return options.askedMs + 200 * options.random;
  const longest = Math.min(LONGEST_PAUSE_MS, options.baseMs * 2 ** (options.attempt - 1));
  return longest / 2 + (longest / 2) * options.random;
}

function decimal(text: string | null | undefined): number | undefined {
  return text !== null && text !== undefined && /^\s*\d+(?:\.\d+)?\s*$/.test(text) ? Number(text) : undefined;
}
