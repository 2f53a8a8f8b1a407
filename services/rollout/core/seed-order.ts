/**
 * Puts results that come in any order into the order of the seeds: what can be shown is the longest gapless beginning.
 */

export class SeedOrder<T> {
  readonly #values: (T | undefined)[];
  #count = 0;
  #shown = 0;

  constructor(length: number) {
    this.#values = Array.from({ length }, () => undefined);
  }

  /** Takes the result at `index` and returns what may be shown now. A second result for an index is ignored. */
  put(index: number, value: T): T[] {
    if (index < 0 || index >= this.#values.length) throw new RangeError(`no place ${index} of ${this.#values.length}`);
    if (this.#values[index] !== undefined) return [];
    this.#values[index] = value;
    this.#count += 1;
    const ready: T[] = [];
    for (let next = this.#values[this.#shown]; next !== undefined; next = this.#values[this.#shown]) {
      ready.push(next);
      this.#shown += 1;
    }
    return ready;
  }

  has(index: number): boolean {
    return this.#values[index] !== undefined;
  }

  /** Indices without a result, ascending. */
  get missing(): number[] {
    return this.#values.flatMap((value, index) => (value === undefined ? [index] : []));
  }

  /** Indices with a result, ascending. */
  get known(): number[] {
    return this.#values.flatMap((value, index) => (value === undefined ? [] : [index]));
  }

  /** How many results there are. */
  get count(): number {
    return this.#count;
  }

  /** How many there will be. */
  get length(): number {
    return this.#values.length;
  }

  get complete(): boolean {
    return this.#count === this.#values.length;
  }

  /** All results so far, in seed order. */
  get values(): T[] {
    return this.#values.filter((value) => value !== undefined);
  }
}
