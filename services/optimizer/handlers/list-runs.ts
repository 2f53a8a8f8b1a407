// ListRuns: the caller's runs, newest first unless asked otherwise, in pages that do not shift when runs are added.
import { optimizer } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import { enumValue, pageSize, pageToken, parseFilter, readPageToken } from "../core/filter.ts";
import type { HandlerPorts, OptimizerHandler } from "./ports.ts";

export function listRuns({ list }: HandlerPorts): OptimizerHandler<"listRuns"> {
  return async (request, { tenant }) => {
    const { state, environment, model } = parseFilter(request.filter, ["state", "environment", "model"]);
    const orderBy = request.orderBy.trim() === "" ? "create_time desc" : request.orderBy.trim().replace(/\s+/g, " ");
    if (!["create_time", "create_time asc", "create_time desc"].includes(orderBy))
      throw new FleetError("INVALID_PAGE", `runs cannot be ordered by ${orderBy}; use create_time or create_time desc`);
    const limit = pageSize(request.pageSize, 50, 500);
    const of = JSON.stringify([request.filter, orderBy]);
    const words = readPageToken(request.pageToken, of, 2);
    const found = await list.list({
      tenant,
      state: state === undefined ? undefined : enumValue("state", state, "RUN_STATE_", optimizer.RunState),
      environment,
      model,
      descending: orderBy.endsWith("desc"),
      after: words === undefined ? undefined : { createTimeMs: Number(words[0]), id: words[1] ?? "" },
      limit: limit + 1,
    });
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const more = found.length > limit && last !== undefined;
    return {
      runs: page.map(({ run }) => run),
      nextPageToken: more ? pageToken(of, [String(last.createTimeMs), last.run.id]) : "",
    };
  };
}
