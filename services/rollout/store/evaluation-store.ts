/**
 * Evaluations by request_id: the tables `evaluations` and `episodes`.
 *
 * Every change is one statement that holds under any interleaving of callers and replicas: an episode is stored once, only
 * by the replica that holds the evaluation, and nothing is added to one that has ended. Refuses to interpret results:
 * they go in and out as messages.
 */
import { rollout, types } from "@promptpo/contracts";
import type { Database, Queryable } from "@promptpo/service-kit";
import type {
  Claim,
  EvaluationKey,
  EvaluationRecord,
  EvaluationRecords,
  EvaluationStateName,
  KeptState,
  NewEvaluation,
  OpenedEvaluation,
  StoredEpisode,
} from "../handlers/ports.ts";

/** Payloads are JSON keys: of evaluations that were cancelled, and of those with news for somebody who waits. */
const CANCELLED_CHANNEL = "rollout_evaluation_cancelled";
const NEWS_CHANNEL = "rollout_evaluation_news";

interface EvaluationRow {
  readonly body_sha256: string;
  readonly state: EvaluationStateName;
  readonly episode_count: number;
  readonly summary: Uint8Array | null;
  readonly held_elsewhere: boolean;
}
interface EpisodeRow {
  readonly position: number;
  readonly fingerprint: string;
  readonly confined: boolean;
  readonly result: Uint8Array;
}
interface StateRow {
  readonly state: KeptState;
}

export class EvaluationStore implements EvaluationRecords {
  readonly #database: Database;
  readonly #replica: string;

  /** `replica` is the id under which this process holds evaluations. */
  constructor(database: Database, replica: string) {
    this.#database = database;
    this.#replica = replica;
  }

  find(key: EvaluationKey, known: readonly number[] = []): Promise<EvaluationRecord | undefined> {
    // One snapshot for both tables: an evaluation that ends between two reads would otherwise lack its last episodes.
    return this.#database.transaction(async (tx) => {
      await tx.query("set transaction isolation level repeatable read, read only");
      return this.#read(tx, key, known);
    });
  }

  async open(key: EvaluationKey, evaluation: NewEvaluation, known: readonly number[] = []): Promise<OpenedEvaluation> {
    const { bodySha256, episodeCount } = evaluation;
    const [made] = await this.#database.query<{ readonly fence: bigint }>(
      `insert into evaluations
         (tenant, request_id, body_sha256, environment, variant, run_id, episode_count, state, holder, fence)
       values ($1, $2, $3, $4, $5, $6, $7, 'OPEN', $8, 1) on conflict do nothing returning fence`,
      [
        key.tenant,
        key.requestId,
        bodySha256,
        evaluation.environment,
        evaluation.variant,
        evaluation.runId,
        episodeCount,
        this.#replica,
      ],
    );
    if (made !== undefined) {
      const state = { state: "OPEN", isHeldElsewhere: false, episodes: [], summary: undefined } as const;
      return { record: { bodySha256, episodeCount, ...state }, claim: { key, fence: made.fence } };
    }
    const fence = await this.#claim(key, evaluation);
    const record = await this.find(key, known);
    if (record === undefined) throw new Error(`evaluation ${key.requestId} vanished while it was opened`);
    return { record, claim: fence === undefined ? undefined : { key, fence } };
  }

  async addEpisodes({ key, fence }: Claim, episodes: readonly StoredEpisode[]): Promise<KeptState> {
    // The row lock makes a cancellation, or another replica's claim, come before or after, never in between.
    const rows = await this.#database.query<StateRow>(
      `with evaluation as (
         select state, fence = $3 as held, watched from evaluations where tenant = $1 and request_id = $2 for share
       ), stored as (
         insert into episodes (tenant, request_id, position, fingerprint, confined, result, artifact_sha256)
         select $1, $2, new.position, new.fingerprint, new.confined, new.result, new.artifact_sha256
         from unnest($4::integer[], $5::text[], $6::boolean[], $7::bytea[], $8::text[])
           as new (position, fingerprint, confined, result, artifact_sha256)
         where (select state = 'OPEN' and held from evaluation)
         on conflict do nothing
       ), told as (
         select pg_notify('${NEWS_CHANNEL}', $9) from evaluation where watched and held
       )
       select case when state = 'OPEN' and not held then 'TAKEN' else state end as state, (select count(*) from told)
       from evaluation`,
      [
        key.tenant,
        key.requestId,
        fence,
        episodes.map(({ position }) => position),
        episodes.map(({ fingerprintDigest }) => fingerprintDigest),
        episodes.map(({ confined }) => confined),
        episodes.map(({ result }) => Buffer.from(types.EpisodeResult.encode(result).finish())),
        episodes.map(({ result }) => result.trajectory?.sha256 ?? null),
        nameOf(key),
      ],
    );
    return rows[0]?.state ?? "CANCELLED";
  }

  async finish({ key, fence }: Claim, summary: rollout.EvaluationSummary): Promise<KeptState> {
    const rows = await this.#database.query<StateRow>(
      `with finished as (
         update evaluations set state = 'SUCCEEDED', summary = $4, holder = null, update_time = now()
         where tenant = $1 and request_id = $2 and fence = $3 and state = 'OPEN'
           and episode_count = (select count(*) from episodes where tenant = $1 and request_id = $2)
         returning state, watched
       ), told as (
         select pg_notify('${NEWS_CHANNEL}', $5) from finished where watched
       )
       select state, (select count(*) from told) from finished`,
      [key.tenant, key.requestId, fence, Buffer.from(rollout.EvaluationSummary.encode(summary).finish()), nameOf(key)],
    );
    return rows[0]?.state ?? (await this.#stateOf(key, fence)) ?? "CANCELLED";
  }

  async release({ key, fence }: Claim): Promise<void> {
    await this.#database.query(
      `with released as (
         update evaluations set holder = null
         where tenant = $1 and request_id = $2 and fence = $3 and state = 'OPEN' returning watched
       )
       select pg_notify('${NEWS_CHANNEL}', $4) from released where watched`,
      [key.tenant, key.requestId, fence, nameOf(key)],
    );
  }

  async watch(key: EvaluationKey): Promise<void> {
    await this.#database.query(
      "update evaluations set watched = true where tenant = $1 and request_id = $2 and not watched",
      [key.tenant, key.requestId],
    );
  }

  async cancel(key: EvaluationKey): Promise<EvaluationStateName | undefined> {
    const rows = await this.#database.query<{ readonly state: EvaluationStateName }>(
      `with cancelled as (
         update evaluations set state = 'CANCELLED', holder = null, update_time = now()
         where tenant = $1 and request_id = $2 and state = 'OPEN' returning state
       ), told as (
         select pg_notify('${CANCELLED_CHANNEL}', $3) from cancelled
       )
       select cancelled.state from cancelled, told`,
      [key.tenant, key.requestId, nameOf(key)],
    );
    return rows[0]?.state ?? (await this.find(key))?.state;
  }

  onCancelled(listener: (key: EvaluationKey) => void): Promise<AsyncDisposable> {
    return this.#listen(CANCELLED_CHANNEL, (key) => {
      // A cancellation that was missed is noticed when the next episode is stored.
      if (key !== undefined) listener(key);
    });
  }

  /** Undefined: news may have been missed, of any evaluation. */
  onNews(listener: (key: EvaluationKey | undefined) => void): Promise<AsyncDisposable> {
    return this.#listen(NEWS_CHANNEL, listener);
  }

  /** The new fence if this replica works on it from now on; undefined: another one does, or there is nothing to do. */
  async #claim(key: EvaluationKey, evaluation: NewEvaluation): Promise<bigint | undefined> {
    // Episodes of another fingerprint do not belong into one evaluation with what follows.
    const rows = await this.#database.query<{ readonly fence: bigint }>(
      `with claimed as (
         update evaluations set holder = $3, fence = fence + 1, update_time = now()
         where tenant = $1 and request_id = $2 and body_sha256 = $4 and state = 'OPEN'
           and (holder is null or holder = $3 or not ${isAlive("holder")})
         returning fence
       ), dropped as (
         delete from episodes
         where tenant = $1 and request_id = $2 and fingerprint <> $5 and exists (select from claimed)
       )
       select fence from claimed`,
      [key.tenant, key.requestId, this.#replica, evaluation.bodySha256, evaluation.fingerprintDigest],
    );
    return rows[0]?.fence;
  }

  #listen(channel: string, listener: (key: EvaluationKey | undefined) => void): Promise<AsyncDisposable> {
    return this.#database.listen(channel, (payload) => {
      // Empty: the connection was renewed.
      if (payload === "") return listener(undefined);
      const parts: unknown = JSON.parse(payload);
      if (!Array.isArray(parts)) return;
      listener({ tenant: String(parts[0]), requestId: String(parts[1]) });
    });
  }

  async #stateOf(key: EvaluationKey, fence: bigint): Promise<KeptState | undefined> {
    const rows = await this.#database.query<StateRow>(
      `select case when state = 'OPEN' and fence <> $3 then 'TAKEN' else state end as state
       from evaluations where tenant = $1 and request_id = $2`,
      [key.tenant, key.requestId, fence],
    );
    return rows[0]?.state;
  }

  async #read(tx: Queryable, key: EvaluationKey, known: readonly number[]): Promise<EvaluationRecord | undefined> {
    const [row] = await tx.query<EvaluationRow>(
      `select body_sha256, state, episode_count, summary,
              state = 'OPEN' and holder is not null and holder <> $3 and ${isAlive("holder")} as held_elsewhere
       from evaluations where tenant = $1 and request_id = $2`,
      [key.tenant, key.requestId, this.#replica],
    );
    if (row === undefined) return undefined;
    const episodes = await tx.query<EpisodeRow>(
      `select position, fingerprint, confined, result from episodes
       where tenant = $1 and request_id = $2 and position <> all($3::integer[]) order by position`,
      [key.tenant, key.requestId, known],
    );
    return {
      bodySha256: row.body_sha256,
      state: row.state,
      episodeCount: row.episode_count,
      isHeldElsewhere: row.held_elsewhere,
      episodes: episodes.map(({ position, fingerprint, confined, result }) => ({
        position,
        fingerprintDigest: fingerprint,
        confined,
        result: types.EpisodeResult.decode(result),
      })),
      summary: row.summary === null ? undefined : rollout.EvaluationSummary.decode(row.summary),
    };
  }
}

function isAlive(column: string): string {
  return `exists (select from evaluation_replicas where id = ${column} and lease_time > now())`;
}

function nameOf({ tenant, requestId }: EvaluationKey): string {
  return JSON.stringify([tenant, requestId]);
}
