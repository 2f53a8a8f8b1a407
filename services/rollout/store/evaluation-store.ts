/**
 * Evaluations by request_id: the tables `evaluations` and `episodes`.
 *
 * Every change is one statement that holds under any interleaving of callers and replicas: an episode is stored once,
 * and nothing is added to an evaluation that has ended. Refuses to interpret results: they go in and out as messages.
 */
import { rollout, types } from "@promptpo/contracts";
import type { Database, Queryable } from "@promptpo/service-kit";
import type {
  EvaluationKey,
  EvaluationRecord,
  EvaluationRecords,
  EvaluationStateName,
  NewEvaluation,
  StoredEpisode,
} from "../handlers/ports.ts";

/** Payloads are JSON keys of evaluations that were cancelled. */
const CANCELLED_CHANNEL = "rollout_evaluation_cancelled";

interface EvaluationRow {
  readonly body_sha256: string;
  readonly state: EvaluationStateName;
  readonly episode_count: number;
  readonly summary: Uint8Array | null;
}
interface EpisodeRow {
  readonly position: number;
  readonly fingerprint: string;
  readonly confined: boolean;
  readonly result: Uint8Array;
}
interface StateRow {
  readonly state: EvaluationStateName;
}

export class EvaluationStore implements EvaluationRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  find(key: EvaluationKey): Promise<EvaluationRecord | undefined> {
    // One snapshot for both tables: an evaluation that ends between two reads would otherwise lack its last episodes.
    return this.#database.transaction(async (tx) => {
      await tx.query("set transaction isolation level repeatable read, read only");
      return read(tx, key);
    });
  }

  async open(key: EvaluationKey, evaluation: NewEvaluation): Promise<EvaluationRecord> {
    await this.#database.query(
      `insert into evaluations (tenant, request_id, body_sha256, environment, variant, run_id, episode_count, state)
       values ($1, $2, $3, $4, $5, $6, $7, 'OPEN') on conflict do nothing`,
      [
        key.tenant,
        key.requestId,
        evaluation.bodySha256,
        evaluation.environment,
        evaluation.variant,
        evaluation.runId,
        evaluation.episodeCount,
      ],
    );
    // Episodes of another fingerprint do not belong into one evaluation with what follows.
    await this.#database.query(
      `delete from episodes using evaluations
       where episodes.tenant = $1 and episodes.request_id = $2 and episodes.fingerprint <> $3
         and evaluations.tenant = $1 and evaluations.request_id = $2 and evaluations.state = 'OPEN'`,
      [key.tenant, key.requestId, evaluation.fingerprintDigest],
    );
    const record = await this.find(key);
    if (record === undefined) throw new Error(`evaluation ${key.requestId} vanished while it was opened`);
    return record;
  }

  async addEpisodes(key: EvaluationKey, episodes: readonly StoredEpisode[]): Promise<EvaluationStateName> {
    // The row lock makes a cancellation come before or after, never in between.
    const rows = await this.#database.query<StateRow>(
      `with evaluation as (
         select state from evaluations where tenant = $1 and request_id = $2 for share
       ), stored as (
         insert into episodes (tenant, request_id, position, fingerprint, confined, result)
         select $1, $2, new.position, new.fingerprint, new.confined, new.result
         from unnest($3::integer[], $4::text[], $5::boolean[], $6::bytea[])
           as new (position, fingerprint, confined, result)
         where (select state from evaluation) = 'OPEN'
         on conflict do nothing
       )
       select state from evaluation`,
      [
        key.tenant,
        key.requestId,
        episodes.map(({ position }) => position),
        episodes.map(({ fingerprintDigest }) => fingerprintDigest),
        episodes.map(({ confined }) => confined),
        episodes.map(({ result }) => Buffer.from(types.EpisodeResult.encode(result).finish())),
      ],
    );
    return rows[0]?.state ?? "CANCELLED";
  }

  async finish(key: EvaluationKey, summary: rollout.EvaluationSummary): Promise<EvaluationStateName> {
    const rows = await this.#database.query<StateRow>(
      `update evaluations set state = 'SUCCEEDED', summary = $3, update_time = now()
       where tenant = $1 and request_id = $2 and state = 'OPEN'
         and episode_count = (select count(*) from episodes where tenant = $1 and request_id = $2)
       returning state`,
      [key.tenant, key.requestId, Buffer.from(rollout.EvaluationSummary.encode(summary).finish())],
    );
    return rows[0]?.state ?? (await this.#stateOf(key)) ?? "CANCELLED";
  }

  async cancel(key: EvaluationKey): Promise<EvaluationStateName | undefined> {
    const rows = await this.#database.query<StateRow>(
      `with cancelled as (
         update evaluations set state = 'CANCELLED', update_time = now()
         where tenant = $1 and request_id = $2 and state = 'OPEN' returning state
       ), told as (
         select pg_notify('${CANCELLED_CHANNEL}', $3) from cancelled
       )
       select cancelled.state from cancelled, told`,
      [key.tenant, key.requestId, JSON.stringify([key.tenant, key.requestId])],
    );
    return rows[0]?.state ?? (await this.#stateOf(key));
  }

  onCancelled(listener: (key: EvaluationKey) => void): Promise<AsyncDisposable> {
    return this.#database.listen(CANCELLED_CHANNEL, (payload) => {
      // Empty: the connection was renewed. A cancellation that was missed is noticed when the next episode is stored.
      if (payload === "") return;
      const parts: unknown = JSON.parse(payload);
      if (!Array.isArray(parts)) return;
      listener({ tenant: String(parts[0]), requestId: String(parts[1]) });
    });
  }

  async #stateOf(key: EvaluationKey): Promise<EvaluationStateName | undefined> {
    const rows = await this.#database.query<StateRow>(
      "select state from evaluations where tenant = $1 and request_id = $2",
      [key.tenant, key.requestId],
    );
    return rows[0]?.state;
  }
}

async function read(tx: Queryable, key: EvaluationKey): Promise<EvaluationRecord | undefined> {
  const [row] = await tx.query<EvaluationRow>(
    "select body_sha256, state, episode_count, summary from evaluations where tenant = $1 and request_id = $2",
    [key.tenant, key.requestId],
  );
  if (row === undefined) return undefined;
  const episodes = await tx.query<EpisodeRow>(
    `select position, fingerprint, confined, result from episodes
     where tenant = $1 and request_id = $2 order by position`,
    [key.tenant, key.requestId],
  );
  return {
    bodySha256: row.body_sha256,
    state: row.state,
    episodeCount: row.episode_count,
    episodes: episodes.map(({ position, fingerprint, confined, result }) => ({
      position,
      fingerprintDigest: fingerprint,
      confined,
      result: types.EpisodeResult.decode(result),
    })),
    summary: row.summary === null ? undefined : rollout.EvaluationSummary.decode(row.summary),
  };
}
