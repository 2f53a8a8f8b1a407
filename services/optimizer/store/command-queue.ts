// The queue of commands: when work is tried. pg-boss on the service's own database; jobs are unique by run and place as
// long as they are alive, so a command that is inserted twice is there once.
//
// Owns pg-boss, its two queues and the claims (which replica works on which job). The log holds what is true: a queue
// that lost everything is filled again from it.
import type { Logger, Queryable } from "@promptpo/service-kit";
import { PgBoss } from "pg-boss";
import type { Command } from "../core/command.ts";

export type QueueName = "model" | "rollout";
export const QUEUES: readonly QueueName[] = ["model", "rollout"];

/** A command taken out of the queue. */
export interface Job {
  readonly id: string;
  readonly queue: QueueName;
  readonly runId: string;
  readonly place: string;
  /** How often it was taken out before. */
  readonly retries: number;
  /** The replica that took it. */
  readonly replicaId: bigint;
}

/** Wakes workers of all replicas. */
export const COMMAND_CHANNEL = "promptpo_commands";

const QUEUE_OPTIONS = {
  policy: "exclusive",
  // A command waits as long as what it needs is away: it is never given up by the queue.
  retryLimit: 1_000_000,
  retryDelay: 1,
  retryBackoff: true,
  // Longer would only delay going on: a waiting command costs one call in five seconds.
  retryDelayMax: 5,
  // Backstop for a worker that hangs; dead ones are taken over within seconds. A model call may take an hour.
  expireInSeconds: 12 * 3600,
  // The sweep puts back what a run still needs.
  retentionSeconds: 30 * 24 * 3600,
  deleteAfterSeconds: 3600,
} as const;

export class CommandQueue {
  readonly #boss: PgBoss;

  constructor(boss: PgBoss) {
    this.#boss = boss;
  }

  /** Installs pg-boss's schema where it is missing. The database must answer. */
  static async open(url: string, log: Logger): Promise<CommandQueue> {
    const boss = new PgBoss({
      connectionString: url,
      application_name: "promptpo-queue",
      max: 3,
      schedule: false,
      registerInstance: false,
      openTelemetry: { enabled: false },
    });
    // Its maintenance goes on by itself when the database is back.
    boss.on("error", (error) => log.warn({ err: error }, "the command queue's maintenance failed"));
    boss.on("warning", (warning) => log.info({ warning }, "the command queue has a warning"));
    await boss.start({ attempts: 5 });
    for (const name of QUEUES) await boss.createQueue(name, QUEUE_OPTIONS);
    return new CommandQueue(boss);
  }

  /** Adds commands; those that are in the queue already stay as they are. Wakes the workers on commit. */
  async insert(tx: Queryable, runId: string, commands: readonly Command[]): Promise<void> {
    if (commands.length === 0) return;
    for (const name of QUEUES) {
      const jobs = commands
        .filter(({ kind }) => queueOf(kind) === name)
        .map(({ place }) => ({ data: { runId, place }, singletonKey: `${runId}/${place}` }));
      if (jobs.length > 0) await this.#boss.insert(name, jobs, { db: within(tx) });
    }
    await tx.query("select pg_notify($1, '')", [COMMAND_CHANNEL]);
  }

  /** Takes up to `count` commands for a replica. In a transaction: a job is never taken without its claim. */
  async take(tx: Queryable, name: QueueName, count: number, replicaId: bigint): Promise<Job[]> {
    const fetched = await this.#boss.fetch<{ runId: string; place: string }>(name, {
      batchSize: count,
      db: within(tx),
    });
    if (fetched.length === 0) return [];
    await tx.query(
      `insert into claims (job_id, queue, replica_id) select unnest($1::uuid[]), $2, $3
       on conflict (job_id) do update set replica_id = excluded.replica_id, claim_time = now()`,
      [fetched.map(({ id }) => id), name, replicaId],
    );
    return fetched.map(({ id, data, retryCount }) => ({
      id,
      queue: name,
      runId: data.runId,
      place: data.place,
      retries: retryCount,
      replicaId,
    }));
  }

  /** The command is done (or not wanted any more). Whoever holds the job by now: its outcome is in the log. */
  async complete(tx: Queryable, { id, queue }: Job): Promise<void> {
    await this.#boss.complete(queue, id, null, { db: within(tx), includeQueued: true });
    await tx.query("delete from claims where job_id = $1", [id]);
  }

  /** Gives the command back to the queue, to be tried again in a while. Nothing happens if another has it by now. */
  async release(tx: Queryable, { id, queue, retries, replicaId }: Job): Promise<void> {
    await this.#boss.fail(queue, { id, retryCount: retries }, null, { db: within(tx) });
    await tx.query("delete from claims where job_id = $1 and replica_id = $2", [id, replicaId]);
  }

  /** Gives back what a replica had taken. The number of jobs. */
  async releaseAllOf(tx: Queryable, replicaId: bigint): Promise<number> {
    const claims = await tx.query<{ job_id: string; queue: QueueName }>(
      "delete from claims where replica_id = $1 returning job_id, queue",
      [replicaId],
    );
    for (const name of QUEUES) {
      const ids = claims.filter(({ queue }) => queue === name).map(({ job_id }) => job_id);
      if (ids.length > 0) await this.#boss.fail(name, ids, null, { db: within(tx) });
    }
    return claims.length;
  }

  /** Commands by queue and whether they are being worked on. */
  async depths(db: Queryable): Promise<{ queue: string; state: "waiting" | "active"; count: number }[]> {
    const rows = await db.query<{ queue: string; active: boolean; count: bigint }>(
      `select name as queue, state = 'active' as active, count(*) from pgboss.job
       where name = any($1::text[]) and state <= 'active' group by 1, 2`,
      [QUEUES],
    );
    return rows.map(({ queue, active, count }) => ({
      queue,
      state: active ? "active" : "waiting",
      count: Number(count),
    }));
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: false });
  }
}

function queueOf(kind: Command["kind"]): QueueName {
  return kind === "model" ? "model" : "rollout";
}

/** A transaction as pg-boss takes it. */
function within(tx: Queryable): { executeSql(text: string, values?: unknown[]): Promise<{ rows: never[] }> } {
  return {
    async executeSql(text, values) {
      const rows = await tx.query<never>(text, values);
      return { rows };
    },
  };
}
