// Shows a run while it goes on: JSON lines, a block that is redrawn on a terminal, or plain lines. Returns what was learned.
import { optimizer, timestampToDate, toProtoJson } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import { createLogUpdate } from "log-update";
import type { CommandContext } from "../context.ts";
import type { Session } from "../session.ts";
import { followRun } from "./follow-run.ts";
import { foldProgress, hasEnded, noProgress, type Progress } from "./progress.ts";
import { eventLines, regionLines } from "./progress-lines.ts";

export interface ShowOptions {
  /** Events as JSON lines on standard output; default: what the command's `--json` says. */
  readonly json?: boolean;
}

/** Until the run ends or the command is interrupted; `hasEnded(progress.run)` tells which. */
export async function showRun(
  session: Session,
  runId: string,
  context: CommandContext,
  options: ShowOptions = {},
): Promise<Progress> {
  const { output } = context;
  const json = options.json ?? context.json;
  const region = output.live && !json ? drawRegion(context) : undefined;
  let progress = noProgress;
  try {
    const messages = followRun(session.optimizer, runId, {
      signal: context.interrupted,
      worthWaiting: () => {
        if (session.fleet?.isUp() ?? true) return true;
        throw new FleetError(
          "OPTIMIZER_UNAVAILABLE",
          `the fleet that this command had joined was stopped; run ${runId} is kept and goes on with: promptpo watch ${runId}`,
        );
      },
      onLost: (error) => line(`the optimizer does not answer: waiting for it (${error.message})`),
    });
    for await (const message of messages) {
      progress = foldProgress(progress, message);
      if (json) {
        if (message.event !== undefined) output.data(JSON.stringify(toProtoJson(optimizer.WatchRunResponse, message)));
      } else {
        for (const each of eventLines(message, progress)) line(each);
        region?.show(progress);
      }
    }
  } finally {
    region?.done(progress);
  }
  return progress;

  function line(text: string): void {
    if (region === undefined) output.note(text);
    else region.above(text);
  }
}

function drawRegion({ output }: CommandContext) {
  // log-update asks its stream for no more than a terminal has.
  const draw = createLogUpdate(output.screen as NodeJS.WriteStream, { showCursor: true });
  let last = noProgress;
  const render = () => draw(regionLines(last, elapsedMs(last.run)).join("\n"));
  const clock = setInterval(render, 1_000);
  return {
    show(progress: Progress) {
      last = progress;
      render();
    },
    above(text: string) {
      draw.clear();
      output.note(text);
      render();
    },
    done(progress: Progress) {
      clearInterval(clock);
      last = progress;
      if (hasEnded(progress.run)) render();
      draw.done();
    },
  };
}

function elapsedMs(run: optimizer.Run | undefined): number {
  if (run?.createTime === undefined) return 0;
  const end = run.endTime === undefined ? Date.now() : timestampToDate(run.endTime).getTime();
  return end - timestampToDate(run.createTime).getTime();
}
