/**
 * Keeps a metric's label within bounds: the first so many values by name, all later ones as `other`.
 *
 * Names come from callers (tenants, `gym:<id>`); without a bound anybody could fill the memory of whoever scrapes.
 */

export class BoundedLabel {
  readonly #most: number;
  readonly #names = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  of(name: string): string {
    if (this.#names.has(name)) return name;
    if (this.#names.size >= this.#most) return "other";
    this.#names.add(name);
    return name;
  }
}
