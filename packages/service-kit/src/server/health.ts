/**
 * grpc.health.v1 for "" and every service's full name, driven by the service's own `ready`.
 *
 * Owns the polling and the last answer, which /readyz shows too. One answer for all names: a process serves or it does not.
 */
import type { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import type { Logger } from "../logs/create-logger.ts";
import { untilAborted } from "../rpc/until-aborted.ts";

const POLL_MS = 1_000;
/** A check that takes longer counts as failed: probes of a cluster wait about as long. */
const ANSWER_MS_MOST = 5_000;

export interface HealthOptions {
  readonly names: readonly string[];
  readonly ready: (() => Promise<string | undefined>) | undefined;
  readonly log: Logger;
}

export class Health {
  readonly #names: readonly string[];
  readonly #ready: () => Promise<string | undefined>;
  readonly #log: Logger;
  readonly #implementation: HealthImplementation;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #problem: string | undefined = "the service is starting";

  constructor(options: HealthOptions) {
    this.#names = ["", ...options.names];
    this.#ready = options.ready ?? (async () => undefined);
    this.#log = options.log;
    this.#implementation = new HealthImplementation(
      Object.fromEntries(this.#names.map((name) => [name, "NOT_SERVING"])),
    );
  }

  /** Why the service does not serve; undefined when it does. */
  get problem(): string | undefined {
    return this.#problem;
  }

  addToServer(server: Server): void {
    this.#implementation.addToServer(server);
  }

  /** Asks once, then about once a second until `stop`. */
  async start(): Promise<void> {
    await this.#ask();
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => void this.start(), POLL_MS);
    this.#timer.unref();
  }

  /** NOT_SERVING from now on. */
  stop(problem: string): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    clearTimeout(this.#timer);
    this.#show(problem);
  }

  async #ask(): Promise<void> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), ANSWER_MS_MOST);
    timer.unref();
    let problem: string | undefined;
    try {
      const signal = AbortSignal.any([late.signal, this.#stop.signal]);
      problem = await untilAborted(this.#ready(), signal);
    } catch (error) {
      if (!late.signal.aborted) this.#log.warn({ err: error }, "the readiness check failed");
      problem = late.signal.aborted
        ? `the readiness check gave no answer in ${ANSWER_MS_MOST} ms`
        : "the readiness check failed";
    } finally {
      clearTimeout(timer);
    }
    if (!this.#stop.signal.aborted) this.#show(problem);
  }

  #show(problem: string | undefined): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    if (problem === undefined) this.#log.info("ready");
    else this.#log[this.#stop.signal.aborted ? "info" : "warn"]({ problem }, "not ready");
    for (const name of this.#names) {
      this.#implementation.setStatus(name, problem === undefined ? "SERVING" : "NOT_SERVING");
    }
  }
}
