/**
 * All sidecars of the service: which of them may be used, and what they agree to be.
 *
 * Exactly one numeric fingerprint is used at a time; a sidecar with another one is kept out, loudly. What was learnt of
 * the environments stays known while all sidecars are away.
 */
import { FleetError, type Logger } from "@promptpo/service-kit";
import { agreeOnFingerprint } from "../../core/agreement.ts";
import { Catalogue } from "../../core/catalogue.ts";
import type { Simulation } from "../../handlers/ports.ts";
import type { SidecarLink, SidecarSource } from "./sidecar-link.ts";
import { SidecarSlot } from "./sidecar-slot.ts";

export interface Seat {
  readonly slot: SidecarSlot;
  readonly link: SidecarLink;
}

export interface FleetListener {
  /** Seats, problems or the simulation may have changed. */
  changed(): void;
  sidecarLost(): void;
  fingerprintDisagreement(): void;
}

export type SidecarStates = Readonly<Record<"starting" | "serving" | "down" | "refused" | "odd", number>>;

export class SidecarFleet {
  readonly #slots: readonly SidecarSlot[];
  readonly #log: Logger;
  readonly #listeners: FleetListener[] = [];
  /** Links that were found to disagree, so that each is told of once. */
  readonly #odd = new WeakSet<SidecarLink>();
  #digest: string | undefined;
  #simulation: Simulation | undefined;

  constructor(sources: readonly SidecarSource[], log: Logger) {
    this.#log = log;
    const listener = { changed: () => this.#changed(), lost: () => this.#tell((each) => each.sidecarLost()) };
    this.#slots = sources.map((source, index) => new SidecarSlot(index, source, listener, log));
  }

  listen(listener: FleetListener): void {
    this.#listeners.push(listener);
  }

  /** Sidecars that may be given work. */
  get seats(): Seat[] {
    return this.#slots.flatMap((slot) =>
      slot.link !== undefined && slot.link.hello.fingerprint?.digest === this.#digest
        ? [{ slot, link: slot.link }]
        : [],
    );
  }

  /** Sidecars that are on their way and have not failed at it yet. */
  get startingCount(): number {
    return this.#slots.filter(({ state, problem }) => state === "STARTING" && problem === undefined).length;
  }

  /** What the sidecars agreed to be last; undefined before the first handshake. */
  get simulation(): Simulation | undefined {
    return this.#simulation;
  }

  /** Set when no sidecar serves and none can without somebody changing something. */
  get hopeless(): FleetError | undefined {
    if (!this.#slots.every(({ state }) => state === "REFUSED")) return undefined;
    return this.#slots.find(({ problem }) => problem !== undefined)?.problem;
  }

  /** Why no sidecar serves, for a caller whose time is up. */
  get absence(): FleetError {
    const problem = this.#slots.map((slot) => slot.problem).find((each) => each !== undefined);
    if (problem !== undefined && !problem.retryable) return problem;
    const why = problem === undefined ? "they are being started" : problem.message;
    return new FleetError("NO_SIDECAR", `none of ${this.#slots.length} sidecars serves: ${why}`, {
      retryAfterMs: 1_000,
    });
  }

  get states(): SidecarStates {
    const seats = new Set(this.seats.map(({ slot }) => slot));
    const states = { starting: 0, serving: 0, down: 0, refused: 0, odd: 0 };
    for (const slot of this.#slots) {
      if (slot.state === "SERVING") states[seats.has(slot) ? "serving" : "odd"] += 1;
      else if (slot.state === "STARTING") states.starting += 1;
      else if (slot.state === "REFUSED") states.refused += 1;
      else states.down += 1;
    }
    return states;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => slot.stop()));
  }

  #changed(): void {
    const votes = this.#slots.flatMap(({ index, link }) => {
      const digest = link?.hello.fingerprint?.digest;
      return digest === undefined ? [] : [{ sidecar: index, digest }];
    });
    const digest = agreeOnFingerprint(votes, this.#digest);
    if (digest !== undefined) {
      this.#digest = digest;
      this.#complain();
      this.#learn();
    }
    this.#tell((each) => each.changed());
  }

  #complain(): void {
    for (const { link, name } of this.#slots) {
      const other = link?.hello.fingerprint;
      if (link === undefined || other === undefined || other.digest === this.#digest || this.#odd.has(link)) continue;
      this.#odd.add(link);
      this.#log.error(
        { sidecar: name, fingerprint: other, used: this.#simulation?.fingerprint },
        "a sidecar has another numeric fingerprint than the others; it is not used",
      );
      this.#tell((each) => each.fingerprintDisagreement());
    }
  }

  #learn(): void {
    const links = this.seats.map(({ link }) => link);
    const first = links[0];
    const fingerprint = first?.hello.fingerprint;
    if (first === undefined || fingerprint === undefined) return;
    this.#simulation = {
      catalogue: new Catalogue(first.hello.environments),
      fingerprint,
      confined: links.every(({ hello }) => hello.confinement?.confined === true),
    };
  }

  #tell(about: (listener: FleetListener) => void): void {
    for (const listener of this.#listeners) about(listener);
  }
}
