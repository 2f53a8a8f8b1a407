/**
 * Brings jobs to sidecars: one block a sidecar at a time, in the scheduler's order.
 *
 * Owns the timers that the scheduler must not have: a sidecar's silence, and how long work waits while no sidecar serves.
 * A sidecar that fails in mid-block is given up and what it had not finished runs elsewhere; nobody sees it but the clock.
 */
import { FleetError, type Logger, type Reason } from "@promptpo/service-kit";
import { type Block, Scheduler, type SchedulerOptions } from "../../core/scheduler.ts";
import type { Seat, SidecarFleet } from "../sidecars/sidecar-fleet.ts";
import type { SidecarSlot } from "../sidecars/sidecar-slot.ts";
import type { Job } from "./job.ts";

export interface DispatcherOptions {
  readonly scheduler: SchedulerOptions;
  /** How long work waits while no sidecar serves. */
  readonly sidecarWaitMs: number;
  /** How long a working sidecar may be silent. */
  readonly silenceMs: number;
}

export interface DispatcherMetrics {
  /** From submission to the first block. */
  waited(seconds: number): void;
  block(family: string, seconds: number): void;
}

interface Entry {
  readonly id: number;
  readonly job: Job;
  readonly blocks: Map<number, AbortController>;
  /** Of each unit during which sidecars died: which and why, in order. */
  readonly deaths: Map<number, string[]>;
  readonly outcome: PromiseWithResolvers<void>;
  /** Monotonic milliseconds. */
  readonly submitted: number;
  started: boolean;
  ended: boolean;
}

/**
 * Reasons that speak of the sidecar and not of what was asked: the block runs again. A failed simulator is among them,
 * because a worker that was killed from outside looks the same; one that fails by itself fails every time.
 */
const LOSSES: ReadonlySet<Reason> = new Set([
  "SIDECAR_UNAVAILABLE",
  "SERVICE_UNAVAILABLE",
  "SIDECAR_DIED",
  "SIMULATOR_FAILED",
  "SHUTTING_DOWN",
  "INTERNAL",
  "CANCELLED",
  "QUOTA_EXHAUSTED",
]);
/** The sidecar has dealt with these itself and can go on. */
const SURVIVED: ReadonlySet<Reason> = new Set(["SIDECAR_DIED", "SIMULATOR_FAILED"]);
const RETRY_AFTER_MS = 2_000;

export class Dispatcher {
  readonly #fleet: SidecarFleet;
  readonly #options: DispatcherOptions;
  readonly #metrics: DispatcherMetrics;
  readonly #log: Logger;
  readonly #scheduler: Scheduler;
  readonly #entries = new Map<number, Entry>();
  readonly #busy = new Set<SidecarSlot>();
  #nextId = 1;
  #noSidecar: NodeJS.Timeout | undefined;

  constructor(fleet: SidecarFleet, options: DispatcherOptions, metrics: DispatcherMetrics, log: Logger) {
    this.#fleet = fleet;
    this.#options = options;
    this.#metrics = metrics;
    this.#log = log;
    this.#scheduler = new Scheduler(options.scheduler);
    fleet.listen({ changed: () => this.#pump(), sidecarLost: () => {}, fingerprintDisagreement: () => {} });
  }

  /** Units that wait for a sidecar. */
  get waitingCount(): number {
    return this.#scheduler.waitingCount;
  }

  /** Whether a block runs on it. */
  isBusy({ slot }: Seat): boolean {
    return this.#busy.has(slot);
  }

  /** Resolves when every unit is done and kept. */
  async submit(job: Job, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const entry: Entry = {
      id: this.#nextId,
      job,
      blocks: new Map(),
      deaths: new Map(),
      outcome: Promise.withResolvers(),
      submitted: performance.now(),
      started: false,
      ended: false,
    };
    this.#nextId += 1;
    if (!this.#scheduler.add({ id: entry.id, ...pick(job) })) {
      throw new FleetError(
        "QUEUE_FULL",
        `the queue has no room for ${job.unitCount} episodes: ${this.waitingCount} wait already, at most ${this.#options.scheduler.tenantUnitsMost} of one tenant and ${this.#options.scheduler.unitsMost} in all. Try again later`,
        { retryAfterMs: RETRY_AFTER_MS },
      );
    }
    this.#entries.set(entry.id, entry);
    const leave = () => this.#end(entry, signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    this.#pump();
    try {
      await entry.outcome.promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #pump(): void {
    const seats = this.#fleet.seats;
    this.#watchAbsence(seats.length === 0);
    this.#endStrangers();
    for (const seat of seats) {
      if (this.#busy.has(seat.slot)) continue;
      const block = this.#scheduler.next(seats.length);
      if (block === undefined) return;
      const entry = this.#entries.get(block.task);
      if (entry === undefined) throw new Error(`block ${block.id} belongs to no job`);
      this.#busy.add(seat.slot);
      void this.#run(seat, entry, block).finally(() => {
        this.#busy.delete(seat.slot);
        this.#pump();
      });
    }
  }

  async #run(seat: Seat, entry: Entry, block: Block): Promise<void> {
    const begun = performance.now();
    this.#start(entry, begun);
    const control = new AbortController();
    entry.blocks.set(block.id, control);
    // What ends the job although the sidecar is well: a result could not be kept.
    let keeping: { readonly error: unknown } | undefined;
    const silenceMs = Math.max(this.#options.silenceMs, entry.job.silenceMs ?? 0);
    const silence = setTimeout(() => seat.link.abandon(`no sign of life for ${silenceMs} ms of work`), silenceMs);
    try {
      await entry.job.run(seat.link, block.units, {
        signal: AbortSignal.any([control.signal, seat.link.gone]),
        alive: () => silence.refresh(),
        done: async (unit, keep) => {
          silence.refresh();
          try {
            await keep();
          } catch (error) {
            keeping = { error };
            throw error;
          }
          if (!entry.ended) this.#scheduler.unitDone(block, unit);
        },
      });
      if (entry.ended) return;
      seat.slot.worked();
      this.#metrics.block(entry.job.family, (performance.now() - begun) / 1_000);
      if (this.#scheduler.blockDone(block)) this.#end(entry, undefined);
    } catch (error) {
      if (entry.ended) return;
      if (keeping !== undefined) this.#end(entry, keeping.error);
      else this.#lost(seat, entry, block, error);
    } finally {
      clearTimeout(silence);
      entry.blocks.delete(block.id);
    }
  }

  #lost(seat: Seat, entry: Entry, block: Block, thrown: unknown): void {
    const { gone } = seat.link;
    const error = FleetError.from(gone.aborted ? gone.reason : thrown, "SIDECAR_UNAVAILABLE");
    if (!LOSSES.has(error.reason)) {
      this.#end(entry, error);
      return;
    }
    if (!gone.aborted && !SURVIVED.has(error.reason)) seat.link.abandon(error.message);
    const { suspects, givenUp } = this.#scheduler.blockLost(block, error.reason !== "SHUTTING_DOWN");
    const units = (suspects.length > 0 ? suspects : block.units).map((unit) => entry.job.describe(unit));
    this.#log.warn(
      { sidecar: seat.slot.name, units, why: error.message, err: error },
      "a sidecar failed in mid-block; what it had not finished runs again",
    );
    for (const unit of suspects) {
      entry.deaths.set(unit, [...(entry.deaths.get(unit) ?? []), `${seat.slot.name}: ${error.message}`]);
    }
    if (givenUp === undefined) return;
    const evidence = refusal(entry.job, givenUp, entry.deaths.get(givenUp) ?? []);
    this.#end(entry, error.reason === "SIMULATOR_FAILED" ? error : evidence);
  }

  #start(entry: Entry, now: number): void {
    if (entry.started) return;
    entry.started = true;
    this.#metrics.waited((now - entry.submitted) / 1_000);
    entry.job.started?.();
  }

  /** Ends a job, well or not, and whatever of it still runs. */
  #end(entry: Entry, error: unknown): void {
    if (entry.ended) return;
    entry.ended = true;
    this.#entries.delete(entry.id);
    this.#scheduler.remove(entry.id);
    for (const control of entry.blocks.values()) control.abort(error);
    if (error === undefined) entry.outcome.resolve();
    else entry.outcome.reject(error);
  }

  /** Jobs whose fingerprint is no longer served would wait for ever. */
  #endStrangers(): void {
    const digest = this.#fleet.simulation?.fingerprint.digest;
    for (const entry of [...this.#entries.values()]) {
      if (entry.job.fingerprintDigest === digest) continue;
      this.#end(
        entry,
        new FleetError(
          "SIDECAR_UNAVAILABLE",
          "the sidecars were replaced by ones with another fingerprint; ask again",
          {
            retryAfterMs: RETRY_AFTER_MS,
          },
        ),
      );
    }
  }

  #watchAbsence(absent: boolean): void {
    const hopeless = this.#fleet.hopeless;
    if (absent && hopeless !== undefined) this.#endAll(hopeless);
    if (!absent || this.#entries.size === 0) {
      clearTimeout(this.#noSidecar);
      this.#noSidecar = undefined;
    } else {
      this.#noSidecar ??= setTimeout(() => {
        this.#noSidecar = undefined;
        this.#endAll(this.#fleet.absence);
      }, this.#options.sidecarWaitMs);
    }
  }

  #endAll(error: FleetError): void {
    for (const entry of [...this.#entries.values()]) this.#end(entry, error);
  }
}

/** The evidence: what was run, and how each sidecar died of it. */
function refusal(job: Job, unit: number, deaths: readonly string[]): FleetError {
  const what = job.describe(unit);
  const all = deaths.map((death, at) => [`death_${at + 1}`, death] as const);
  return new FleetError(
    "SIDECAR_DIED",
    `${deaths.length} sidecars died while they ran ${what}, so it is not tried again: ${deaths.join("; ")}`,
    { metadata: { unit: what, ...job.evidence(unit), ...Object.fromEntries(all) } },
  );
}

function pick({ tenant, unitCount, unitCost, done, whole }: Job) {
  return { tenant, unitCount, unitCost: Math.max(1, unitCost), done, whole };
}
