// Takes commands of one queue as long as there is room for them, and runs each on its own. Owns how many are in flight
// and their stopping. Woken by `wake`, and every now and then in case a word was lost.
import { FleetError, type Logger } from "@promptpo/service-kit";
import type { Job, QueueName } from "../store/command-queue.ts";
import { pause } from "./pause.ts";
import type { WorkQueue } from "./ports.ts";

export interface LoopOptions {
  readonly queue: WorkQueue;
  readonly name: QueueName;
  /** Commands in flight at most. */
  readonly room: number;
  readonly pollMs: number;
  readonly log: Logger;
  /** Does one command; `abandon` aborts when its run has ended or this process leaves. */
  perform(job: Job, abandon: AbortSignal): Promise<void>;
}

export class CommandLoop {
  readonly #options: LoopOptions;
  readonly #leaving = new AbortController();
  readonly #running = new Map<Job, { readonly controller: AbortController; readonly done: Promise<void> }>();
  #sleeping = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Look again now: commands may have come, or room. */
  wake(): void {
    this.#sleeping.abort();
  }

  /** Stops what is done for a run that has ended. */
  abandonRun(runId: string): void {
    for (const [job, { controller }] of this.#running)
      if (job.runId === runId) controller.abort(new FleetError("CANCELLED", "the run has ended"));
  }

  /** Takes nothing new, gives back what runs. May be called twice. */
  async stop(): Promise<void> {
    const leaving = new FleetError("SHUTTING_DOWN", "the optimizer is shutting down");
    this.#leaving.abort(leaving);
    this.wake();
    await this.#loop;
    for (const { controller } of this.#running.values()) controller.abort(leaving);
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  async #run(): Promise<void> {
    const { queue, name, room, pollMs, log } = this.#options;
    while (!this.#leaving.signal.aborted) {
      this.#sleeping = new AbortController();
      const free = room - this.#running.size;
      let taken: Job[] = [];
      try {
        if (free > 0) taken = await queue.take(name, free);
      } catch (error) {
        log.debug({ err: error, queue: name }, "cannot take commands now");
      }
      for (const job of taken) this.#begin(job);
      // As many as there was room for: there may be more, but room comes only when one is done, which wakes us.
      await pause(pollMs, AbortSignal.any([this.#sleeping.signal, this.#leaving.signal]));
    }
  }

  #begin(job: Job): void {
    const { perform, log } = this.#options;
    const controller = new AbortController();
    const done = perform(job, controller.signal)
      .catch((error: unknown) => {
        // The job stays claimed: it comes back when this process leaves or dies, or when the queue's backstop strikes.
        log.warn({ err: error, run: job.runId, place: job.place }, "a command could not be given back");
      })
      .finally(() => {
        this.#running.delete(job);
        this.wake();
      });
    this.#running.set(job, { controller, done });
  }
}
