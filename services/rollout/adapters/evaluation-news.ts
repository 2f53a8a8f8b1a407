/**
 * Wakes those who wait for an evaluation that another replica works on: when the database notifies, and now and then
 * without, since a notification may be lost and a replica that died sends none.
 */
import type { EvaluationKey, News, NewsWatch } from "../handlers/ports.ts";

export class EvaluationNews implements News {
  readonly #lookAgainMs: number;
  readonly #watches = new Map<string, Set<Watch>>();

  /** `lookAgainMs`: how long a lost notification or a replica's death may go unnoticed. */
  constructor(lookAgainMs: number) {
    this.#lookAgainMs = lookAgainMs;
  }

  /** Undefined: of any evaluation. */
  came(key: EvaluationKey | undefined): void {
    const told = key === undefined ? [...this.#watches.values()] : [this.#watches.get(nameOf(key)) ?? []];
    for (const watches of told) for (const watch of watches) watch.came();
  }

  watch(key: EvaluationKey): NewsWatch {
    const name = nameOf(key);
    const watch = new Watch(this.#lookAgainMs, () => {
      const watches = this.#watches.get(name);
      watches?.delete(watch);
      if (watches?.size === 0) this.#watches.delete(name);
    });
    this.#watches.set(name, (this.#watches.get(name) ?? new Set()).add(watch));
    return watch;
  }
}

class Watch implements NewsWatch {
  readonly #lookAgainMs: number;
  readonly #forget: () => void;
  /** There was news since the last waiting ended. */
  #isNew = false;
  #wake: (() => void) | undefined;

  constructor(lookAgainMs: number, forget: () => void) {
    this.#lookAgainMs = lookAgainMs;
    this.#forget = forget;
  }

  came(): void {
    this.#isNew = true;
    this.#wake?.();
  }

  async changed(signal: AbortSignal): Promise<void> {
    if (!this.#isNew && !signal.aborted) {
      const woken = Promise.withResolvers<void>();
      const wake = () => woken.resolve();
      this.#wake = wake;
      const timer = setTimeout(wake, this.#lookAgainMs);
      signal.addEventListener("abort", wake, { once: true });
      await woken.promise;
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      this.#wake = undefined;
    }
    this.#isNew = false;
    signal.throwIfAborted();
  }

  [Symbol.dispose](): void {
    this.#forget();
  }
}

function nameOf({ tenant, requestId }: EvaluationKey): string {
  return JSON.stringify([tenant, requestId]);
}
