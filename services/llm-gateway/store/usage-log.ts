/**
 * The account of calls without a row in the answer log, and reading all of it.
 *
 * Entries are gathered and written together once in a while: a cache hit must not wait for a disk. Free calls of the same
 * tenant, run and model become one entry. A crash loses what was not written yet; answers with a request id are not among
 * it, they are settled with their row.
 */
import { types } from "@promptpo/contracts";
import type { Database, Logger } from "@promptpo/service-kit";
import type { UsageEntry, UsageLog, UsageReport } from "../core/ports.ts";
import { usageColumns, usageValues } from "./usage-values.ts";

const WRITE_AFTER_MS = 500;
const ENTRIES_AT_ONCE = 500;

export interface PostgresUsageLog extends UsageLog, UsageReport, AsyncDisposable {
  /** Writes what is gathered. */
  flush(): Promise<void>;
}

export function openUsageLog(options: { readonly database: Database; readonly log: Logger }): PostgresUsageLog {
  const { database, log } = options;
  let charged: UsageEntry[] = [];
  const free = new Map<string, UsageEntry>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let closed = false;

  const arm = (): void => {
    if (timer !== undefined || closed) return;
    timer = setTimeout(() => {
      timer = undefined;
      flush().catch((error) => {
        log.warn({ err: error }, "usage could not be written; it is kept and tried again");
        arm();
      });
    }, WRITE_AFTER_MS);
  };

  const writeGathered = async (): Promise<void> => {
    const freeEntries = [...free.entries()];
    free.clear();
    const entries = [...charged, ...freeEntries.map(([, entry]) => entry)];
    charged = [];
    try {
      for (let at = 0; at < entries.length; at += ENTRIES_AT_ONCE) {
        await write(database, entries.slice(at, at + ENTRIES_AT_ONCE));
      }
    } catch (error) {
      // All again: what was written is known by its id. Free entries are not merged again, for their ids may be taken.
      charged.unshift(...entries);
      throw error;
    }
  };

  const flush = (): Promise<void> => {
    const next = writing.then(writeGathered);
    writing = next.catch(() => undefined);
    return next;
  };

  return {
    add(entry) {
      if (entry.charge !== undefined) {
        charged.push(entry);
      } else {
        const key = JSON.stringify([entry.tenant, entry.runId, entry.model]);
        const same = free.get(key);
        free.set(key, same === undefined ? entry : { ...same, freeCalls: same.freeCalls + entry.freeCalls });
      }
      arm();
    },
    flush,
    async totals(filter) {
      await flush();
      const rows = await database.query<TotalRow>(
        `select model, run_id,
                sum(provider_calls)::bigint as provider_calls, sum(free_calls)::bigint as free_calls,
                sum(prompt_tokens)::bigint as prompt_tokens, sum(completion_tokens)::bigint as completion_tokens,
                bool_or(estimated) as estimated,
                sum(cost_micro_usd)::bigint as cost_micro_usd, bool_and(cost_micro_usd is not null) as cost_known
         from usage_entries
         where tenant = $1 and ($2 = '' or run_id = $2)
           and ($3::timestamptz is null or create_time >= $3) and ($4::timestamptz is null or create_time < $4)
         group by model, run_id
         order by model collate "C", run_id collate "C"`,
        [filter.tenant, filter.runId, filter.from ?? null, filter.to ?? null],
      );
      return rows.map((row) => ({
        model: row.model,
        runId: row.run_id,
        providerCalls: row.provider_calls,
        freeCalls: row.free_calls,
        usage: types.Usage.fromPartial({
          promptTokens: row.prompt_tokens,
          completionTokens: row.completion_tokens,
          estimated: row.estimated,
        }),
        cost: types.Cost.fromPartial({ microUsd: row.cost_micro_usd ?? 0n, known: row.cost_known }),
      }));
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      clearTimeout(timer);
      await flush().catch((error) => log.error({ err: error }, "the last usage could not be written"));
    },
  };
}

interface TotalRow {
  readonly model: string;
  readonly run_id: string;
  readonly provider_calls: bigint;
  readonly free_calls: bigint;
  readonly prompt_tokens: bigint;
  readonly completion_tokens: bigint;
  readonly estimated: boolean;
  readonly cost_micro_usd: bigint | null;
  readonly cost_known: boolean;
}

async function write(database: Database, entries: readonly UsageEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const rows = entries.map(usageValues);
  const columns = usageColumns.split(",").map((_, at) => rows.map((row) => row[at]));
  await database.query(
    `insert into usage_entries (${usageColumns})
     select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::boolean[],
                          $8::bigint[], $9::bigint[], $10::boolean[], $11::bigint[])
     on conflict (id) do nothing`,
    columns,
  );
}
