/**
 * One piece of work for all who ask for the same thing at the same time. It is given up when the last of them leaves.
 */

interface Work<T> {
  readonly result: Promise<T>;
  readonly control: AbortController;
  callers: number;
}

export class Joined<T> {
  readonly #running = new Map<string, Work<T>>();

  /** `work` is begun by the first caller of a key; a caller whose signal aborts fails with the signal's reason. */
  async run(key: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const joined = this.#running.get(key) ?? this.#begin(key, work);
    joined.callers += 1;
    const left = Promise.withResolvers<never>();
    const leave = () => left.reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([joined.result, left.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
      joined.callers -= 1;
      if (joined.callers === 0) {
        // Whoever comes now begins anew: this work is over, or about to be.
        if (this.#running.get(key) === joined) this.#running.delete(key);
        joined.control.abort(signal.reason);
      }
    }
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<T>): Work<T> {
    const control = new AbortController();
    const result = work(control.signal).finally(() => {
      if (this.#running.get(key) === joined) this.#running.delete(key);
    });
    // Every caller may have left by the time it fails.
    result.catch(() => undefined);
    const joined: Work<T> = { result, control, callers: 0 };
    this.#running.set(key, joined);
    return joined;
  }
}
