/**
 * Exact episode results by content key: the table `exact_episodes`. An entry is never changed: equal keys mean equal bits.
 */
import { types } from "@promptpo/contracts";
import type { Database } from "@promptpo/service-kit";
import type { ExactEpisodes } from "../handlers/ports.ts";

interface ExactRow {
  readonly key: Uint8Array;
  readonly result: Uint8Array;
}

export class ExactEpisodeStore implements ExactEpisodes {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async find(keys: readonly string[]): Promise<Map<string, types.EpisodeResult>> {
    if (keys.length === 0) return new Map();
    const rows = await this.#database.query<ExactRow>(
      "select key, result from exact_episodes where key = any($1::bytea[])",
      [keys.map((key) => Buffer.from(key, "hex"))],
    );
    return new Map(
      rows.map(({ key, result }) => [Buffer.from(key).toString("hex"), types.EpisodeResult.decode(result)]),
    );
  }

  async add(episodes: ReadonlyMap<string, types.EpisodeResult>): Promise<void> {
    if (episodes.size === 0) return;
    // Sorted: two evaluations that store the same episodes at once would otherwise lock them crosswise.
    const sorted = [...episodes].sort(([a], [b]) => (a < b ? -1 : 1));
    await this.#database.query(
      `insert into exact_episodes (key, result)
       select * from unnest($1::bytea[], $2::bytea[]) on conflict do nothing`,
      [
        sorted.map(([key]) => Buffer.from(key, "hex")),
        sorted.map(([, result]) => Buffer.from(types.EpisodeResult.encode(result).finish())),
      ],
    );
  }
}
