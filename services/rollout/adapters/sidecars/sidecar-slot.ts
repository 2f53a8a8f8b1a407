/**
 * One place for a sidecar: opens it, notices that it is gone, opens it again after a pause.
 *
 * STARTING -> SERVING -> DOWN -> STARTING ...; REFUSED is a sidecar that answered and may not be used (it cannot confine,
 * or speaks another version): tried again rarely. Owns its link and its pauses; `stop` ends both.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { FleetError, type Logger } from "@promptpo/service-kit";
import { backoffMs } from "../../core/backoff.ts";
import type { SidecarLink, SidecarSource } from "./sidecar-link.ts";

export type SlotState = "STARTING" | "SERVING" | "DOWN" | "REFUSED" | "STOPPED";

export interface SlotListener {
  changed(slot: SidecarSlot): void;
  /** A sidecar that served is gone and will be opened again. */
  lost(slot: SidecarSlot): void;
}

export class SidecarSlot {
  readonly index: number;
  readonly name: string;
  readonly #source: SidecarSource;
  readonly #listener: SlotListener;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  readonly #loop: Promise<void>;
  #state: SlotState = "STARTING";
  #link: SidecarLink | undefined;
  #problem: FleetError | undefined;
  #failures = 0;

  constructor(index: number, source: SidecarSource, listener: SlotListener, log: Logger) {
    this.index = index;
    this.name = source.name;
    this.#source = source;
    this.#listener = listener;
    this.#log = log.child({ sidecar: source.name });
    this.#loop = this.#live();
  }

  get state(): SlotState {
    return this.#state;
  }
  /** Set while the state is SERVING. */
  get link(): SidecarLink | undefined {
    return this.#link;
  }
  /** Why it does not serve, when it does not. */
  get problem(): FleetError | undefined {
    return this.#problem;
  }

  /** It did some work: the next failure is the first one. */
  worked(): void {
    this.#failures = 0;
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new FleetError("SHUTTING_DOWN", "the service is shutting down"));
    await this.#loop;
  }

  async #live(): Promise<void> {
    const signal = this.#stopping.signal;
    // Not within the constructor: listeners want to know the slot first.
    await Promise.resolve();
    while (!signal.aborted) {
      this.#become("STARTING");
      let link: SidecarLink;
      try {
        link = await this.#source.open(signal);
      } catch (error) {
        if (signal.aborted) break;
        await this.#failed(FleetError.from(error, "SIDECAR_UNAVAILABLE"));
        continue;
      }
      await this.#serve(link);
    }
    this.#become("STOPPED");
  }

  async #serve(link: SidecarLink): Promise<void> {
    const signal = this.#stopping.signal;
    this.#link = link;
    this.#log.info({ pid: Number(link.hello.pid), fingerprint: link.hello.fingerprint?.digest }, "a sidecar serves");
    this.#become("SERVING");
    await aborted(AbortSignal.any([signal, link.gone]));
    this.#link = undefined;
    const problem = link.gone.aborted ? FleetError.from(link.gone.reason) : undefined;
    this.#become("DOWN", problem);
    if (!signal.aborted) {
      this.#log.warn({ why: problem?.message }, "a sidecar is gone; it is started again");
      this.#listener.lost(this);
    }
    await link.close();
    if (!signal.aborted) await this.#pause();
  }

  async #failed(problem: FleetError): Promise<void> {
    const refused = !problem.retryable;
    // A sidecar that stays away says so once, not every ten seconds.
    const level = this.#problem?.message === problem.message ? "debug" : refused ? "error" : "warn";
    this.#log[level]({ reason: problem.reason, why: problem.message }, "a sidecar does not serve");
    this.#become(refused ? "REFUSED" : "DOWN", problem);
    await this.#pause();
  }

  async #pause(): Promise<void> {
    this.#failures += 1;
    const ms = backoffMs(this.#failures, this.#state === "REFUSED");
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }

  #become(state: SlotState, problem?: FleetError): void {
    this.#state = state;
    if (problem !== undefined) this.#problem = problem;
    if (state === "SERVING") this.#problem = undefined;
    this.#listener.changed(this);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
