/**
 * Waiting that an AbortSignal ends.
 */
import { abortError } from "./abort-error.ts";

/** The promise's outcome, or a rejection with `abortError` as soon as the signal aborts. The promise itself goes on. */
export async function untilAborted<T>(promise: PromiseLike<T> | T, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) {
    // Its later failure is nobody's business any more, but must not count as unhandled.
    Promise.resolve(promise).catch(() => undefined);
    throw abortError(signal);
  }
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    const listener = (): void => reject(abortError(signal));
    signal.addEventListener("abort", listener, { once: true });
    stop = () => signal.removeEventListener("abort", listener);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    stop();
  }
}

/** Resolves after `ms`, rejects with `abortError` when the signal aborts first. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await untilAborted(
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, ms);
      }),
      signal,
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Asked anew each time: the compiler does not know that an await may change the answer. */
export function isAborted(signal: AbortSignal | undefined): signal is AbortSignal {
  return signal?.aborted === true;
}
