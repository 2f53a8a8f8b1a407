/**
 * This process's lease as a replica: moved on while something is held, so that others take over soon after its death.
 *
 * A lease that lapses by mistake (the database was away, the process stood still) costs time and never a result: what is
 * stored then is fenced. Owns the timer of the heartbeat.
 */
import { randomUUID } from "node:crypto";
import type { Logger } from "@promptpo/service-kit";
import type { Replica } from "../handlers/ports.ts";

export interface Leases {
  extend(id: string, leaseMs: number): Promise<void>;
  remove(id: string): Promise<void>;
}

/** Three beats may fail or come late before anybody takes us for dead. */
const BEATS_A_LEASE = 4;

export class ReplicaLease implements Replica {
  readonly id = randomUUID();
  readonly #leases: Leases;
  readonly #leaseMs: number;
  readonly #log: Logger;
  #holders = 0;
  #first: Promise<void> | undefined;
  /** Monotonic milliseconds until which the lease needs no beat. */
  #freshUntil = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(leases: Leases, leaseMs: number, log: Logger) {
    this.#leases = leases;
    this.#leaseMs = leaseMs;
    this.#log = log;
  }

  async hold(): Promise<Disposable> {
    this.#holders += 1;
    // The lease is there before anything is claimed in its name.
    this.#first ??= this.#extend().then(() => this.#schedule());
    try {
      await this.#first;
    } catch (error) {
      this.#letGo();
      throw error;
    }
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#letGo();
        held = false;
      },
    };
  }

  /** Nothing is held any more. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#leases.remove(this.id).catch((error: unknown) => {
      this.#log.warn({ err: error }, "this replica's lease could not be removed; it lapses by itself");
    });
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#holders === 0) return;
    this.#timer = setTimeout(() => void this.#beat(), this.#leaseMs / BEATS_A_LEASE).unref();
  }

  async #beat(): Promise<void> {
    try {
      await this.#extend();
    } catch (error) {
      this.#log.warn({ err: error }, "this replica's lease could not be moved on");
    }
    this.#schedule();
  }

  /** Short evaluations one after the other do not each move the lease on. */
  async #extend(): Promise<void> {
    const now = performance.now();
    if (now < this.#freshUntil) return;
    await this.#leases.extend(this.id, this.#leaseMs);
    this.#freshUntil = now + this.#leaseMs / BEATS_A_LEASE;
  }

  #letGo(): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    clearTimeout(this.#timer);
    this.#first = undefined;
  }
}
