// CancelRun, PauseRun, ResumeRun: each is an event of the run's log. Asking twice for the same is no error.
import { optimizer } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import { ownedRun } from "./owned-run.ts";
import type { HandlerPorts, LoadedRun, OptimizerHandler } from "./ports.ts";
import { runMessage } from "./run-message.ts";

const { ACTION_CANCEL, ACTION_PAUSE, ACTION_RESUME } = optimizer.RunControlled_Action;

export function cancelRun({ runs }: HandlerPorts): OptimizerHandler<"cancelRun"> {
  return async ({ runId, reason }, { tenant }) => {
    const run = await ownedRun(runs, runId, tenant);
    const ended = run.state.ended?.event.state;
    if (ended === optimizer.RunState.RUN_STATE_CANCELLED) return { run: runMessage(run) };
    await steered(runs, run, ACTION_CANCEL, reason, "cancelled");
    return { run: runMessage(await ownedRun(runs, runId, tenant)) };
  };
}

export function pauseRun({ runs }: HandlerPorts): OptimizerHandler<"pauseRun"> {
  return async ({ runId, reason }, { tenant }) => {
    const run = await ownedRun(runs, runId, tenant);
    if (!run.state.paused || run.state.ended !== undefined) await steered(runs, run, ACTION_PAUSE, reason, "paused");
    return { run: runMessage(await ownedRun(runs, runId, tenant)) };
  };
}

export function resumeRun({ runs }: HandlerPorts): OptimizerHandler<"resumeRun"> {
  return async ({ runId }, { tenant }) => {
    const run = await ownedRun(runs, runId, tenant);
    if (run.state.ended === undefined && !run.state.paused)
      throw new FleetError("RUN_NOT_PAUSED", `the run ${runId} is not paused, so there is nothing to resume`);
    await steered(runs, run, ACTION_RESUME, "", "resumed");
    return { run: runMessage(await ownedRun(runs, runId, tenant)) };
  };
}

async function steered(
  runs: HandlerPorts["runs"],
  { state: { runId } }: LoadedRun,
  action: optimizer.RunControlled_Action,
  reason: string,
  word: string,
): Promise<void> {
  const control = optimizer.RunControlled.fromPartial({ action, reason });
  if ((await runs.steer(runId, control)) === undefined)
    throw new FleetError("RUN_NOT_ACTIVE", `the run ${runId} has ended, so it can not be ${word}`, {
      metadata: { subject: runId },
    });
}
