/**
 * How often an evaluation's callers are told how far it is. Owns the timers; no result depends on them.
 */
import type { Pace } from "../handlers/ports.ts";

export class ProgressPace implements Pace {
  readonly #pauseMs: number;

  constructor(pauseMs: number) {
    this.#pauseMs = pauseMs;
  }

  pause(): { readonly over: Promise<void> } & Disposable {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#pauseMs);
    return { over: promise, [Symbol.dispose]: () => clearTimeout(timer) };
  }
}
