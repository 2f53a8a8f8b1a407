/**
 * Messages that any number of readers see from the first one on, however late they come.
 *
 * One writer appends and then ends or fails it; afterwards nothing changes. Owns no timers and no I/O.
 */

export class ReplayLog<T> {
  readonly #messages: T[] = [];
  readonly #waiting = new Set<() => void>();
  #end: { readonly error: unknown } | "ended" | undefined;

  append(...messages: readonly T[]): void {
    if (this.#end !== undefined) return;
    this.#messages.push(...messages);
    this.#wake();
  }

  end(): void {
    this.#end ??= "ended";
    this.#wake();
  }

  /** Readers see what was appended and then this error. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake();
  }

  get length(): number {
    return this.#messages.length;
  }

  /** Everything from the first message on, to the end. An aborted signal throws its reason. */
  async *read(signal: AbortSignal): AsyncGenerator<T, void, void> {
    let next = 0;
    for (;;) {
      signal.throwIfAborted();
      const message = this.#messages[next];
      if (message !== undefined) {
        next += 1;
        yield message;
      } else if (this.#end === "ended") {
        return;
      } else if (this.#end !== undefined) {
        throw this.#end.error;
      } else {
        await this.#change(signal);
      }
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}
