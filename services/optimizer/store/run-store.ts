// Runs as their logs: creating, adding outcomes and controls, reading. Every change is one short transaction that locks
// the run's row, so outcomes of one run come one after another, whichever replica has them.
//
// Owns those transactions and the cache of folded logs. What a change means is the core's to say.
import { type optimizer, timestampFromDate } from "@promptpo/contracts";
import { type Database, FleetError, type Queryable } from "@promptpo/service-kit";
import { type Advanced, advance, create, steer } from "../core/advance.ts";
import { apply, fold } from "../core/apply.ts";
import { logDigest } from "../core/canonical.ts";
import { basicView, type RunFacts, runView } from "../core/run-view.ts";
import { decide } from "../core/survey.ts";
import type { LoadedRun, NewRun } from "../handlers/ports.ts";
import type { CommandQueue, Job } from "./command-queue.ts";
import { type FoldedLog, RunCache } from "./run-cache.ts";
import {
  deleteWaits,
  insertEvent,
  insertRun,
  lockRun,
  notifyRun,
  type RunRow,
  selectActiveRuns,
  selectEvents,
  selectRun,
  selectRunOfRequest,
  selectWait,
  updateRun,
  upsertWait,
} from "./run-rows.ts";

type Kind = NonNullable<optimizer.Event["kind"]>;

/** Runs kept folded. A run of 10 x 10 candidates takes some 5 MB. */
const CACHED_RUNS_MOST = 100;

export class RunStore {
  readonly #database: Database;
  readonly #queue: CommandQueue;
  readonly #cache = new RunCache(CACHED_RUNS_MOST);
  readonly #now: () => Date;

  constructor(database: Database, queue: CommandQueue, now: () => Date = () => new Date()) {
    this.#database = database;
    this.#queue = queue;
    this.#now = now;
  }

  /** The new run; undefined when its id or request id is taken. */
  async create(run: NewRun, created: optimizer.RunCreated): Promise<LoadedRun | undefined> {
    const advanced = create(run.id, created, timestampFromDate(this.#now()));
    const facts: RunFacts = { tenant: run.tenant, displayName: run.displayName, started: false, waitsFor: "" };
    const inserted = await this.#database.transaction(async (tx) => {
      if (!(await insertRun(tx, run, basicView(runView(advanced.state, facts))))) return false;
      for (const event of advanced.events) await insertEvent(tx, run.id, event);
      await this.#queue.insert(tx, run.id, advanced.commands);
      return true;
    });
    if (!inserted) return undefined;
    const folded = { state: advanced.state, events: advanced.events };
    this.#cache.put(run.id, folded);
    return { ...folded, facts, digest: "" };
  }

  /** The run of a request id, with the digest of the request that made it. */
  async ofRequest(tenant: string, requestId: string): Promise<{ id: string; requestSha256: string } | undefined> {
    const row = await selectRunOfRequest(this.#database, tenant, requestId);
    return row === undefined ? undefined : { id: row.id, requestSha256: row.request_sha256 };
  }

  /** A run as its log stands; undefined when there is none of that id. */
  async load(runId: string): Promise<LoadedRun | undefined> {
    const row = await selectRun(this.#database, runId);
    if (row === undefined) return undefined;
    const folded = await this.#folded(this.#database, row);
    return { ...folded, facts: factsOf(row, row.waits_for ?? ""), digest: row.digest };
  }

  eventsAfter(runId: string, sequence: number): Promise<optimizer.Event[]> {
    return selectEvents(this.#database, runId, sequence);
  }

  /**
   * Adds a command's outcome and ends its job, in one transaction with what follows from it. What was added; undefined
   * when the place had an outcome already or nobody waits for it any more: then only the job is ended.
   */
  async commit(job: Job, kind: Kind): Promise<Advanced | undefined> {
    return this.#change(job.runId, async (tx, state) => {
      await this.#queue.complete(tx, job);
      const waited = await deleteWaits(tx, job.runId, job.place);
      const advanced = advance(state, job.place, kind, timestampFromDate(this.#now()));
      if (advanced === undefined && waited) await notifyRun(tx, job.runId, false);
      return advanced;
    });
  }

  /** Ends the job of a command that nobody waits for. */
  async discard(job: Job): Promise<void> {
    await this.#database.transaction(async (tx) => {
      await this.#queue.complete(tx, job);
      await deleteWaits(tx, job.runId, job.place);
    });
  }

  /** Gives a command back to the queue; `cause` says what it waits for ("": nothing, it is only to be done again). */
  async wait(job: Job, cause: string): Promise<void> {
    await this.#database.transaction(async (tx) => {
      await this.#queue.release(tx, job);
      if (cause === "") return;
      await upsertWait(tx, job.runId, job.place, cause, this.#now());
      await notifyRun(tx, job.runId, false);
    });
  }

  /** Since when a command has been waiting, in epoch milliseconds; undefined when it has not. */
  async waitingSince({ runId, place }: Job): Promise<number | undefined> {
    return (await selectWait(this.#database, runId, place))?.getTime();
  }

  /** Steers a run; undefined when it has ended. Throws UNKNOWN_RUN. */
  steer(runId: string, control: optimizer.RunControlled): Promise<Advanced | undefined> {
    return this.#change(runId, async (_tx, state) => steer(state, control, timestampFromDate(this.#now())));
  }

  /** Puts back what the queue may have lost: the commands of every run that goes on. The number of runs. */
  async sweep(signal: AbortSignal): Promise<number> {
    const page = 100;
    let count = 0;
    for (let after = ""; !signal.aborted; ) {
      const ids = await selectActiveRuns(this.#database, after, page);
      for (const id of ids) {
        if (signal.aborted) break;
        const run = await this.load(id);
        if (run === undefined) continue;
        const commands = decide(run.state);
        if (commands.length > 0) await this.#database.transaction((tx) => this.#queue.insert(tx, id, commands));
        count += 1;
      }
      after = ids.at(-1) ?? "";
      if (ids.length < page) break;
    }
    return count;
  }

  async #change(
    runId: string,
    change: (tx: Queryable, state: FoldedLog["state"]) => Promise<Advanced | undefined>,
  ): Promise<Advanced | undefined> {
    const { advanced, folded } = await this.#database.transaction(async (tx) => {
      const row = await lockRun(tx, runId);
      if (row === undefined) throw new FleetError("UNKNOWN_RUN", `no run is called ${runId}`);
      const before = await this.#folded(tx, row);
      const after = await change(tx, before.state);
      if (after === undefined) return { advanced: undefined, folded: before };
      const events = [...before.events, ...after.events];
      await this.#write(tx, row, after, events);
      return { advanced: after, folded: { state: after.state, events } };
    });
    // Only what is committed may be remembered.
    this.#cache.put(runId, folded);
    return advanced;
  }

  async #write(tx: Queryable, row: RunRow, advanced: Advanced, events: readonly optimizer.Event[]): Promise<void> {
    const { state, commands } = advanced;
    const ended = state.ended !== undefined;
    for (const event of advanced.events) await insertEvent(tx, row.id, event);
    await this.#queue.insert(tx, row.id, commands);
    const view = basicView(runView(state, factsOf(row, "")));
    await updateRun(tx, row.id, view, ended ? logDigest(row.id, events) : "");
    if (ended) await deleteWaits(tx, row.id, undefined);
    await notifyRun(tx, row.id, ended);
  }

  /** The folded log up to the row's sequence, from the cache as far as it goes. */
  async #folded(db: Queryable, row: RunRow): Promise<FoldedLog> {
    const sequence = Number(row.last_sequence);
    const known = this.#cache.get(row.id, sequence);
    if (known?.state.sequence === sequence) return known;
    const news = await selectEvents(db, row.id, known?.state.sequence ?? 0);
    // Between reading the row and its events others may have written more; what is not in the row is left out.
    const upTo = news.filter((event) => Number(event.sequence) <= sequence);
    const folded: FoldedLog =
      known === undefined
        ? { state: fold(row.id, upTo), events: upTo }
        : { state: upTo.reduce(apply, known.state), events: [...known.events, ...upTo] };
    this.#cache.put(row.id, folded);
    return folded;
  }
}

function factsOf(row: RunRow, waitsFor: string): RunFacts {
  return { tenant: row.tenant, displayName: row.display_name, started: row.started, waitsFor };
}
