// A run of the caller's own. Another tenant's run looks the same as none at all.
import { FleetError } from "@promptpo/service-kit/errors.ts";
import type { LoadedRun, RunLog } from "./ports.ts";

export async function ownedRun(runs: RunLog, runId: string, tenant: string): Promise<LoadedRun> {
  const run = runId === "" ? undefined : await runs.load(runId);
  if (run === undefined || run.facts.tenant !== tenant)
    throw new FleetError(
      "UNKNOWN_RUN",
      runId === "" ? "the request names no run: set run_id" : `no run is called ${runId}; list them with ListRuns`,
      { metadata: { run: runId } },
    );
  return run;
}
