/**
 * A growing answer that any number of readers follow, each from its beginning.
 */

export class Pieces {
  #text = "";
  readonly #readers = new Set<(piece: string) => void>();

  /** What came so far. */
  get text(): string {
    return this.#text;
  }

  append(piece: string): void {
    if (piece === "") return;
    this.#text += piece;
    for (const reader of this.#readers) reader(piece);
  }

  /** Tells the reader what came so far and then each piece, until the returned function is called. */
  follow(reader: (piece: string) => void): () => void {
    if (this.#text !== "") reader(this.#text);
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }
}
