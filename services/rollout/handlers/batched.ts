/**
 * Turns single writes into batches: while one batch is being written, what arrives forms the next.
 *
 * A commit costs about a disk's flush; short episodes end faster than that, so they share one.
 */

export class Batched<T, R> {
  readonly #write: (items: readonly T[]) => Promise<R>;
  #last: Promise<unknown> = Promise.resolve();
  #next: { readonly items: T[]; readonly written: Promise<R> } | undefined;

  constructor(write: (items: readonly T[]) => Promise<R>) {
    this.#write = write;
  }

  /** Resolves with the outcome of the batch that the item was in. */
  add(item: T): Promise<R> {
    if (this.#next === undefined) {
      const items: T[] = [];
      const written = this.#last
        // Its own callers hear of a failure.
        .catch(() => undefined)
        .then(() => {
          this.#next = undefined;
          return this.#write(items);
        });
      this.#next = { items, written };
      this.#last = written;
    }
    this.#next.items.push(item);
    return this.#next.written;
  }
}
