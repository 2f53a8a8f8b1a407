// Taking commands for this replica: out of the queue, claimed, and their runs marked as started, in one transaction.
import type { Database } from "@promptpo/service-kit";
import type { CommandQueue, Job, QueueName } from "./command-queue.ts";
import { markStarted, notifyRun } from "./run-rows.ts";

export class WorkQueue {
  readonly #database: Database;
  readonly #queue: CommandQueue;
  readonly #replica: { readonly id: bigint };

  constructor(database: Database, queue: CommandQueue, replica: { readonly id: bigint }) {
    this.#database = database;
    this.#queue = queue;
    this.#replica = replica;
  }

  take(name: QueueName, count: number): Promise<Job[]> {
    return this.#database.transaction(async (tx) => {
      const jobs = await this.#queue.take(tx, name, count, this.#replica.id);
      if (jobs.length > 0) {
        const runIds = [...new Set(jobs.map(({ runId }) => runId))];
        for (const runId of await markStarted(tx, runIds)) await notifyRun(tx, runId, false);
      }
      return jobs;
    });
  }
}
