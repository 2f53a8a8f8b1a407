/**
 * Work on sessions that goes on behind the calls that asked for it: placements in flight, and sidecars that are told of
 * an end. One of it an object of the service; `stop` ends it all.
 */
import { FleetError } from "@promptpo/service-kit";
import type { SessionRecord, SessionSidecars } from "./session-ports.ts";

interface Joined<T> {
  readonly bodySha256: string;
  readonly outcome: Promise<T>;
}

export class SessionWork {
  readonly #sidecars: SessionSidecars;
  readonly #stopping = new AbortController();
  readonly #all = new Set<Promise<unknown>>();
  readonly #creations = new Map<string, Joined<SessionRecord>>();
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #placing = new Set<string>();

  constructor(sidecars: SessionSidecars) {
    this.#sidecars = sidecars;
  }

  /** Aborts when the service stops. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Sessions whose shards are being placed here at this moment. */
  get placing(): ReadonlySet<string> {
    return this.#placing;
  }

  /** Keeps the session marked as being placed while the work goes on. */
  async place<T>(id: string, work: () => Promise<T>): Promise<T> {
    this.#placing.add(id);
    try {
      return await work();
    } finally {
      this.#placing.delete(id);
    }
  }

  /** The creation in flight under this key, or the one that `work` begins. It goes on when its callers leave. */
  join(key: string, bodySha256: string, work: () => Promise<SessionRecord>): Joined<SessionRecord> {
    const known = this.#creations.get(key);
    if (known !== undefined) return known;
    const outcome = this.#follow(work()).finally(() => this.#creations.delete(key));
    // Every caller may have left by the time it fails.
    outcome.catch(() => undefined);
    const joined = { bodySha256, outcome };
    this.#creations.set(key, joined);
    return joined;
  }

  /** One after another for each id; a failure does not keep the next from its turn. */
  inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(id) ?? Promise.resolve();
    const mine = this.#follow(
      before.then(
        () => work(),
        () => work(),
      ),
    );
    this.#turns.set(id, mine);
    const leave = () => {
      if (this.#turns.get(id) === mine) this.#turns.delete(id);
    };
    mine.then(leave, leave);
    return mine;
  }

  /** Frees the session's environments on these sidecars. Never fails; nobody has to wait for it. */
  closeShards(id: string, targets: readonly string[]): Promise<void> {
    return this.#follow(Promise.all(targets.map((target) => this.#sidecars.close(target, id))).then(() => undefined));
  }

  /** Ends what is in flight and waits for it. */
  async stop(reason: FleetError): Promise<void> {
    this.#stopping.abort(reason);
    while (this.#all.size > 0) await Promise.allSettled([...this.#all]);
  }

  #follow<T>(work: Promise<T>): Promise<T> {
    this.#all.add(work);
    const done = () => {
      this.#all.delete(work);
    };
    work.then(done, done);
    return work;
  }
}

export function inProgress(id: string): FleetError {
  return new FleetError("REQUEST_IN_PROGRESS", `another replica is placing session "${id}"; ask again`, {
    retryAfterMs: 500,
  });
}
