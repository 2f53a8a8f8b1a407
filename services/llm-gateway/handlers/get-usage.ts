/** `GetUsage`: tokens and money of the caller's tenant, by model and run. */
import { type llm, timestampToDate } from "@promptpo/contracts";
import { FleetError, type Handler } from "@promptpo/service-kit";
import type { UsageReport } from "../core/ports.ts";

export function getUsage(report: UsageReport): Handler<llm.LlmGatewayService["getUsage"]> {
  return async ({ runId, startTime, endTime }, { tenant }) => {
    const from = startTime === undefined ? undefined : timestampToDate(startTime);
    const to = endTime === undefined ? undefined : timestampToDate(endTime);
    if (from !== undefined && to !== undefined && from > to) {
      throw new FleetError("INVALID_ARGUMENT", "end_time: lies before start_time");
    }
    const rows = await report.totals({ tenant, runId, from, to });
    return {
      rows: rows.map(({ model, runId, providerCalls, freeCalls, usage, cost }) => ({
        model,
        runId,
        providerCallCount: providerCalls,
        freeCallCount: freeCalls,
        usage,
        cost,
      })),
    };
  };
}
