/**
 * The handlers' port `SessionSidecars` over the fleet: its own sidecars by their link, those of other replicas by address.
 *
 * Owns the time that a sidecar has for an answer, and the wait for sidecars that are still coming.
 */
import { sim } from "@promptpo/contracts";
import { type CallOptions, type Client, createClient, FleetError, type Logger } from "@promptpo/service-kit";
import type { SessionSidecars, ShardAnswer } from "../../handlers/session-ports.ts";
import { FleetWatch } from "../sidecars/fleet-watch.ts";
import type { SidecarFleet } from "../sidecars/sidecar-fleet.ts";
import { giveUpIfGone } from "./give-up-if-gone.ts";

export interface SessionSidecarOptions {
  /** Milliseconds for making a shard's environments. */
  readonly openMs: number;
  /** Milliseconds that a session waits while too few sidecars serve. */
  readonly waitMs: number;
  /** Awaited before a shard is closed. Never fails. */
  beforeClose(target: string): Promise<void>;
}

/** A sidecar that lives renews a lease at once, also while its simulators are busy. */
const RENEW_MS = 10_000;
/** Nobody gains by waiting for an end: what is not told lapses. */
const CLOSE_MS = 3_000;
/** Sidecars of a service that has just started come up one after another; a session keeps its place for its whole life. */
const STARTING_MS = 5_000;

type Sidecar = Client<sim.SimulatorService>;

export class FleetSessionSidecars implements SessionSidecars {
  readonly #fleet: SidecarFleet;
  readonly #options: SessionSidecarOptions;
  readonly #log: Logger;
  readonly #starting: FleetWatch;
  readonly #coming: FleetWatch;

  constructor(fleet: SidecarFleet, options: SessionSidecarOptions, log: Logger) {
    this.#fleet = fleet;
    this.#options = options;
    this.#log = log;
    this.#starting = new FleetWatch(fleet, STARTING_MS);
    this.#coming = new FleetWatch(fleet, options.waitMs);
  }

  async targets({ least, except }: { least: number; except: readonly string[] }, signal: AbortSignal) {
    const serving = () => this.#fleet.seats.map(({ link }) => link.target).filter((target) => !except.includes(target));
    const hasStarted = () => (this.#fleet.startingCount === 0 ? true : undefined);
    await this.#starting.until(hasStarted, signal).catch(() => signal.throwIfAborted());
    try {
      return await this.#coming.until(() => (serving().length >= least ? serving() : undefined), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#fleet.seats.length === 0 ? error : tooFew(least, except.length);
    }
  }

  async open(target: string, request: sim.OpenSessionRequest, signal: AbortSignal): Promise<sim.ShardOpened> {
    const { openMs } = this.#options;
    const { opened } = await this.#call(target, openMs, signal, (sidecar, call) => sidecar.openSession(request, call));
    if (opened === undefined) throw new FleetError("SIDECAR_UNAVAILABLE", `${target} opened a shard and told nothing`);
    return opened;
  }

  async renew(target: string, request: sim.RenewSessionRequest, signal: AbortSignal): Promise<ShardAnswer> {
    try {
      await this.#call(target, RENEW_MS, signal, (sidecar, call) => sidecar.renewSession(request, call));
      return { alive: true };
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      const error = FleetError.from(thrown);
      if (error.reason === "UNKNOWN_SESSION" || error.reason === "NOT_FOUND") {
        return { alive: false, cause: "the sidecar that held it no longer has it" };
      }
      if (error.reason === "SIDECAR_UNAVAILABLE" || error.reason === "SHUTTING_DOWN") {
        return { alive: false, cause: "the sidecar that held it died" };
      }
      throw error;
    }
  }

  async close(target: string, sessionId: string): Promise<void> {
    const request = sim.CloseSessionRequest.create({ sessionId });
    const never = new AbortController().signal;
    await this.#options.beforeClose(target);
    try {
      await this.#call(target, CLOSE_MS, never, (sidecar, call) => sidecar.closeSession(request, call));
    } catch (thrown) {
      const { reason, message } = FleetError.from(thrown);
      this.#log.info(
        { sidecar: target, session: sessionId, reason, why: message },
        "a shard was not closed; it lapses",
      );
    }
  }

  /** A call to the sidecar whose failure to answer in time is a sidecar's failure and not the caller's deadline. */
  async #call<T>(
    target: string,
    timeoutMs: number,
    signal: AbortSignal,
    ask: (sidecar: Sidecar, call: CallOptions) => Promise<T>,
  ): Promise<T> {
    const link = this.#fleet.seats.find((seat) => seat.link.target === target)?.link;
    const client = link?.client ?? connect(target);
    const both = link === undefined ? signal : AbortSignal.any([signal, link.gone]);
    try {
      return await ask(client, { signal: both, timeoutMs });
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      const error = FleetError.from(both.aborted ? both.reason : thrown, "SIDECAR_UNAVAILABLE");
      if (link !== undefined) giveUpIfGone(link, error);
      if (error.reason !== "DEADLINE_EXCEEDED") throw error;
      throw new FleetError("SIDECAR_UNAVAILABLE", `${target} did not answer within ${timeoutMs} ms`, { cause: error });
    } finally {
      if (link === undefined) client.close();
    }
  }
}

function tooFew(least: number, taken: number): FleetError {
  return new FleetError(
    "NO_SIDECAR",
    `${least} sidecars are needed for lost shards beside ${taken} that carry the session's others, and too few serve. Try again later`,
    { retryAfterMs: 1_000 },
  );
}

function connect(target: string): Sidecar {
  return createClient(sim.SimulatorService, { target, unavailable: "SIDECAR_UNAVAILABLE" });
}
