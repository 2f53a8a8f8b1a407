// Who waits for news of a run is woken here: by LISTEN/NOTIFY, and every now and then in case a word was lost.
// Owns one listener a process. It carries no events: whoever is woken reads the log.
import type { Database } from "@promptpo/service-kit";
import { RUN_CHANNEL } from "./run-rows.ts";

/** Why a watcher was woken: something was said of its run, or a while passed. */
export type News = "changed" | "nothing";

export interface Subscription extends Disposable {
  /** Resolves at once when something was said since the last call. Rejects with the signal's reason. */
  next(signal: AbortSignal): Promise<News>;
}

export class RunWatch {
  readonly #pollMs: number;
  readonly #subscribers = new Map<string, Set<() => void>>();
  readonly #endListeners = new Set<(runId: string) => void>();
  #listening: AsyncDisposable | undefined;

  private constructor(pollMs: number) {
    this.#pollMs = pollMs;
  }

  static async open(database: Database, pollMs = 2_000): Promise<RunWatch> {
    const watch = new RunWatch(pollMs);
    watch.#listening = await database.listen(RUN_CHANNEL, (payload) => watch.#said(payload));
    return watch;
  }

  /** `listener` is told of every run that ends, in whichever replica, as long as the word is not lost. */
  onEnd(listener: (runId: string) => void): void {
    this.#endListeners.add(listener);
  }

  subscribe(runId: string): Subscription {
    let changed = false;
    let wake = () => {};
    const tell = () => {
      changed = true;
      wake();
    };
    const subscribers = this.#subscribers.get(runId) ?? new Set();
    this.#subscribers.set(runId, subscribers.add(tell));
    return {
      next: async (signal) => {
        signal.throwIfAborted();
        if (!changed) await this.#sleep(signal, (resolve) => (wake = resolve));
        wake = () => {};
        signal.throwIfAborted();
        const news = changed ? "changed" : "nothing";
        changed = false;
        return news;
      },
      [Symbol.dispose]: () => {
        subscribers.delete(tell);
        if (subscribers.size === 0) this.#subscribers.delete(runId);
      },
    };
  }

  async close(): Promise<void> {
    await this.#listening?.[Symbol.asyncDispose]();
    this.#subscribers.clear();
  }

  #sleep(signal: AbortSignal, onWake: (resolve: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, this.#pollMs);
      signal.addEventListener("abort", done);
      onWake(done);
    });
  }

  #said(payload: string): void {
    const [runId = "", word] = payload.split(" ");
    if (word === "ended") for (const listener of this.#endListeners) listener(runId);
    // An empty word comes after a lost connection: everybody looks.
    const told = payload === "" ? [...this.#subscribers.values()] : [this.#subscribers.get(runId) ?? []];
    for (const subscribers of told) for (const tell of subscribers) tell();
  }
}
