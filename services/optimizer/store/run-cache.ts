// Folded logs kept in the process, so that a run's next event costs one event. Correctness never depends on it: an
// entry is only used up to the sequence number that the database says, and what is missing is read.
import type { optimizer } from "@promptpo/contracts";
import type { LogState } from "../core/log-state.ts";

export interface FoldedLog {
  readonly state: LogState;
  /** The log up to the state's sequence. Never changed in place. */
  readonly events: readonly optimizer.Event[];
}

export class RunCache {
  readonly #entries = new Map<string, FoldedLog>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** The entry, unless it knows more than `sequence`: that is from a transaction that never was. */
  get(runId: string, sequence: number): FoldedLog | undefined {
    const entry = this.#entries.get(runId);
    return entry !== undefined && entry.state.sequence <= sequence ? entry : undefined;
  }

  /** Keeps the newest of what it is given; the run used longest ago goes. */
  put(runId: string, entry: FoldedLog): void {
    const known = this.#entries.get(runId);
    this.#entries.delete(runId);
    this.#entries.set(runId, known !== undefined && known.state.sequence > entry.state.sequence ? known : entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#most && oldest !== undefined) this.#entries.delete(oldest);
  }
}
