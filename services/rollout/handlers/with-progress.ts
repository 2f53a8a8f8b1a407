/**
 * Messages as they come and, where one has been awaited for a while, how far the work is.
 */
import type { Pace } from "./ports.ts";

/** `read` is called once; its signal aborts when the caller's does, or when nobody reads any more. */
export async function* withProgress<T>(
  read: (signal: AbortSignal) => AsyncGenerator<T, void, void>,
  tell: () => T,
  pace: Pace,
  signal: AbortSignal,
): AsyncGenerator<T, void, void> {
  const left = new AbortController();
  const messages = read(AbortSignal.any([signal, left.signal]));
  let next = messages.next();
  try {
    for (;;) {
      using pause = pace.pause();
      let isDue = false;
      const due = pause.over.then(() => {
        isDue = true;
      });
      while (!isDue) {
        const result = await Promise.race([next, due]);
        if (result === undefined) continue;
        if (result.done === true) return;
        yield result.value;
        next = messages.next();
      }
      yield tell();
    }
  } finally {
    left.abort();
    // Nobody reads on: how the part that was waited for ends concerns nobody.
    next.catch(() => undefined);
  }
}
