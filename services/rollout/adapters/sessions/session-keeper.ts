/**
 * Asks the sidecars about once a second what lives in them, and acts on it: records learn of leases, metrics of steps,
 * sidecars of sessions that ended elsewhere. Also ends sessions that lapsed.
 *
 * Owns its timer. A sidecar that does not answer keeps nobody else waiting; one that offers no reports is left alone.
 */
import { durationToMs, sim } from "@promptpo/contracts";
import { FleetError, type Logger } from "@promptpo/service-kit";
import type { Seat, SidecarFleet } from "../sidecars/sidecar-fleet.ts";
import type { SidecarLink } from "../sidecars/sidecar-link.ts";
import { giveUpIfGone } from "./give-up-if-gone.ts";
import type { ReportedSidecar, SessionCounters } from "./session-counters.ts";
import type { KnownSession, SessionUpkeep, SweptSession } from "./session-upkeep.ts";

export interface KeeperOptions {
  readonly reportMs: number;
  /** Sessions whose shards are being placed here. */
  placing(): Iterable<string>;
  lapsed(session: SweptSession): void;
}

const ANSWER_MS = 5_000;
/** Somebody waits for the end of a session; what its last steps were is worth less than that. */
const LAST_LOOK_MS = 1_000;
/** A report that is older says nothing of this moment. */
const FRESH_REPORTS = 3;

/** What was last heard of one sidecar. */
interface Heard {
  readonly link: SidecarLink;
  /** Monotonic milliseconds; undefined: not yet. */
  at: number | undefined;
  isAsking: boolean;
  /** Reports are taken in one after another, in the order in which they were asked for. */
  turn: Promise<void>;
  sessions: ReadonlyMap<string, sim.SessionReport>;
  /** Of these no record lives, as of the last report. */
  strangers: ReadonlySet<string>;
}

export class SessionKeeper {
  readonly #fleet: SidecarFleet;
  readonly #upkeep: SessionUpkeep;
  readonly #counters: SessionCounters;
  readonly #options: KeeperOptions;
  readonly #log: Logger;
  readonly #heard = new Map<SidecarLink, Heard>();
  readonly #work = new Set<Promise<void>>();
  readonly #ownTargets = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #isSweeping = false;
  #stopped = false;

  constructor(
    fleet: SidecarFleet,
    upkeep: SessionUpkeep,
    counters: SessionCounters,
    options: KeeperOptions,
    log: Logger,
  ) {
    this.#fleet = fleet;
    this.#upkeep = upkeep;
    this.#counters = counters;
    this.#options = options;
    this.#log = log;
    this.#timer = setInterval(() => this.#tick(), options.reportMs);
    this.#timer.unref();
  }

  /** Asks a sidecar at once: a session there is about to be closed, and its last steps count as well. Never fails. */
  async lastLook(target: string): Promise<void> {
    const seat = this.#fleet.seats.find(({ link }) => link.target === target);
    if (seat !== undefined && !this.#stopped) await this.#do(() => this.#inTurn(seat, LAST_LOOK_MS));
  }

  /** Asks no more and waits for what was asked; sessions of sidecars that end with this process end. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    await Promise.allSettled([...this.#work]);
    for (const { link } of this.#fleet.seats) if (link.isOwn) this.#ownTargets.add(link.target);
    await this.#upkeep.endAllOn([...this.#ownTargets]).catch((error: unknown) => this.#complain(error));
  }

  #tick(): void {
    const seats = this.#fleet.seats;
    const links = new Set(seats.map(({ link }) => link));
    for (const link of this.#heard.keys()) if (!links.has(link)) this.#forget(link);
    for (const seat of seats) {
      if (seat.link.isOwn) this.#ownTargets.add(seat.link.target);
      if (!this.#heardOf(seat.link).isAsking) void this.#do(() => this.#inTurn(seat, ANSWER_MS));
    }
    void this.#do(() => this.#upkeep.placing([...this.#options.placing()]));
    if (!this.#isSweeping) void this.#do(() => this.#sweep());
  }

  #heardOf(link: SidecarLink): Heard {
    const heard = this.#heard.get(link) ?? newcomer(link);
    this.#heard.set(link, heard);
    return heard;
  }

  #inTurn(seat: Seat, timeoutMs: number): Promise<void> {
    const heard = this.#heardOf(seat.link);
    const mine = heard.turn.then(() => this.#ask(seat, heard, timeoutMs));
    // Who asked hears how it ended; the next one only waits for the end.
    heard.turn = mine.catch(() => undefined);
    return mine;
  }

  async #ask(seat: Seat, heard: Heard, timeoutMs: number): Promise<void> {
    const { link } = seat;
    heard.isAsking = true;
    try {
      const report = await link.client.report(sim.ReportRequest.create(), { signal: link.gone, timeoutMs });
      await this.#hear({ link, name: seat.slot.name, report }, heard);
    } catch (thrown) {
      // One that is busy answers next time.
      const error = FleetError.from(thrown);
      if (error.reason === "DATABASE_UNAVAILABLE" || error.reason === "INTERNAL") throw error;
      giveUpIfGone(link, error);
    } finally {
      heard.isAsking = false;
    }
  }

  async #hear(reported: ReportedSidecar, heard: Heard): Promise<void> {
    const sessions = new Map(reported.report.sessions.map((session) => [session.sessionId, session]));
    const known = await this.#upkeep.seen(new Map([...sessions].map(([id, session]) => [id, leftMs(session)])));
    this.#counters.count(reported, known);
    const strangers = new Set([...sessions.keys()].filter((id) => known.get(id)?.isClosed !== false));
    // Twice in a row: a session that is ending while the sidecar reports is no stranger.
    for (const id of strangers) if (heard.strangers.has(id)) this.#closeStranger(reported.link, id);
    for (const [id, session] of sessions) {
      const before = heard.sessions.get(id)?.stepCount ?? 0n;
      if (session.stepCount > before) this.#renewOthers(reported.link, id, known.get(id));
    }
    heard.sessions = sessions;
    heard.strangers = strangers;
    heard.at = performance.now();
  }

  /** A step on one shard keeps the others: the session is one. */
  #renewOthers(stepped: SidecarLink, id: string, known: KnownSession | undefined): void {
    if (known === undefined || known.isClosed) return;
    for (const { link, sessions } of this.#heard.values()) {
      const session = sessions.get(id);
      if (link === stepped || session === undefined || leftMs(session) >= known.leaseMs / 2) continue;
      const request = sim.RenewSessionRequest.create({ sessionId: id });
      void this.#do(async () => {
        await link.client.renewSession(request, { signal: link.gone, timeoutMs: ANSWER_MS });
      });
    }
  }

  #closeStranger(link: SidecarLink, id: string): void {
    this.#log.info({ sidecar: link.target, session: id }, "a session has ended and its shard has not; it is closed");
    const request = sim.CloseSessionRequest.create({ sessionId: id });
    void this.#do(async () => {
      await link.client.closeSession(request, { signal: link.gone, timeoutMs: ANSWER_MS });
    });
  }

  async #sweep(): Promise<void> {
    this.#isSweeping = true;
    try {
      const since = performance.now() - FRESH_REPORTS * this.#options.reportMs;
      const fresh = [...this.#heard.values()].filter(({ at }) => at !== undefined && at >= since);
      const swept = await this.#upkeep.sweep(fresh.map(({ link }) => link.target));
      for (const session of swept) {
        this.#options.lapsed(session);
        this.#log.info({ session: session.id, tenant: session.tenant }, "a session's lease lapsed");
      }
    } finally {
      this.#isSweeping = false;
    }
  }

  #forget(link: SidecarLink): void {
    this.#heard.delete(link);
    this.#counters.forget(link);
  }

  async #do(work: () => Promise<void>): Promise<void> {
    if (this.#stopped) return;
    const done = work().catch((error: unknown) => this.#complain(error));
    this.#work.add(done);
    await done;
    this.#work.delete(done);
  }

  #complain(thrown: unknown): void {
    const error = FleetError.from(thrown);
    // A database or a sidecar that is away is told of where it is noticed first.
    this.#log[error.reason === "INTERNAL" ? "error" : "debug"]({ err: error }, "the upkeep of sessions met a failure");
  }
}

function newcomer(link: SidecarLink): Heard {
  return { link, at: undefined, isAsking: false, turn: Promise.resolve(), sessions: new Map(), strangers: new Set() };
}

function leftMs({ leaseLeft }: sim.SessionReport): number {
  return leaseLeft === undefined ? 0 : Math.max(0, durationToMs(leaseLeft));
}
