/**
 * Summaries of feedback programs by request_id: the table `summaries`. The first answer stands.
 */
import { rollout } from "@promptpo/contracts";
import type { Database } from "@promptpo/service-kit";
import type { EvaluationKey, SummaryRecord, SummaryRecords } from "../handlers/ports.ts";

interface SummaryRow {
  readonly body_sha256: string;
  readonly response: Uint8Array;
}

export class SummaryStore implements SummaryRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async find(key: EvaluationKey): Promise<SummaryRecord | undefined> {
    const [row] = await this.#database.query<SummaryRow>(
      "select body_sha256, response from summaries where tenant = $1 and request_id = $2",
      [key.tenant, key.requestId],
    );
    if (row === undefined) return undefined;
    return {
      bodySha256: row.body_sha256,
      response: rollout.SummarizeTrajectoriesResponse.decode(row.response),
    };
  }

  async add(key: EvaluationKey, record: SummaryRecord): Promise<SummaryRecord> {
    await this.#database.query(
      "insert into summaries (tenant, request_id, body_sha256, response) values ($1, $2, $3, $4) on conflict do nothing",
      [
        key.tenant,
        key.requestId,
        record.bodySha256,
        Buffer.from(rollout.SummarizeTrajectoriesResponse.encode(record.response).finish()),
      ],
    );
    return (await this.find(key)) ?? record;
  }
}
