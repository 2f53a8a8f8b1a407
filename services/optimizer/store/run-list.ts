// Lists of runs from their projections: no log is read. What is newer than a projection (a worker has begun, a command
// waits) is laid over it.
import { optimizer } from "@promptpo/contracts";
import type { Database } from "@promptpo/service-kit";
import type { ListedRun, RunQuery } from "../handlers/ports.ts";
import { selectRuns } from "./run-rows.ts";

export class RunList {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async list({ tenant, state, environment, model, descending, after, limit }: RunQuery): Promise<ListedRun[]> {
    const from = after === undefined ? undefined : { createTime: new Date(after.createTimeMs), id: after.id };
    const filter = { state, environment, model };
    const rows = await selectRuns(this.#database, tenant, filter, descending, from, limit);
    return rows.map((row) => {
      const run = optimizer.Run.decode(row.basic);
      if (run.state === optimizer.RunState.RUN_STATE_QUEUED && row.started)
        run.state = optimizer.RunState.RUN_STATE_RUNNING;
      if (run.endTime === undefined && row.waits_for !== null) run.cause = row.waits_for;
      run.digest = row.digest;
      return { run, createTimeMs: row.create_time.getTime() };
    });
  }
}
