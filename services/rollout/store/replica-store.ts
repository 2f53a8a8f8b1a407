/**
 * The replicas that work on evaluations, and until when each is believed to live: the table `evaluation_replicas`.
 */
import type { Database } from "@promptpo/service-kit";

export class ReplicaStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The replica lives for so many milliseconds more, by the database's clock. */
  async extend(id: string, leaseMs: number): Promise<void> {
    await this.#database.query(
      `insert into evaluation_replicas (id, lease_time) values ($1, now() + $2 * interval '1 millisecond')
       on conflict (id) do update set lease_time = excluded.lease_time`,
      [id, leaseMs],
    );
  }

  async remove(id: string): Promise<void> {
    await this.#database.query("delete from evaluation_replicas where id = $1", [id]);
  }
}
