// GetRun: one run in a view, cut down to the fields of a mask.
import { optimizer } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import { ownedRun } from "./owned-run.ts";
import type { HandlerPorts, OptimizerHandler } from "./ports.ts";
import { runMessage } from "./run-message.ts";

export function getRun({ runs }: HandlerPorts): OptimizerHandler<"getRun"> {
  return async ({ runId, view, readMask }, { tenant }) => {
    const run = runMessage(await ownedRun(runs, runId, tenant), view);
    return { run: readMask === undefined || readMask.length === 0 ? run : masked(run, readMask) };
  };
}

/** Whole fields of the run only: `rounds`, not `rounds.feedback`. */
function masked(run: optimizer.Run, paths: readonly string[]): optimizer.Run {
  const wanted = new Set(paths.map((path) => path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())));
  const entries = Object.entries(run).filter(([key]) => wanted.has(key));
  const known = new Set([...Object.keys(optimizer.Run.fromPartial({})), ...Object.keys(run)]);
  const unknown = [...wanted].find((key) => !known.has(key));
  if (unknown !== undefined)
    throw new FleetError("INVALID_ARGUMENT", `read_mask: a run has no field ${unknown}`, {
      violations: [{ field: "read_mask", description: `a run has no field ${unknown}` }],
    });
  return optimizer.Run.fromPartial(Object.fromEntries(entries));
}
