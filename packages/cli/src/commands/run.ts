// `promptpo run ENV`: starts a run and shows it until it ends. Ctrl-C only stops looking; the run is kept.
import { randomUUID } from "node:crypto";
import { optimizer, toProtoJson } from "@promptpo/contracts";
import type { CommandContext } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { formatCost, formatCount } from "../format.ts";
import { hasEnded } from "../progress/progress.ts";
import { showRun } from "../progress/show-run.ts";
import { type RunOptions, runSettings } from "../run-options.ts";
import { openSession, type Session } from "../session.ts";
import { UsageError } from "../usage-error.ts";
import { listModels } from "./models.ts";
import { printRun } from "./print-run.ts";

export interface RunCommandOptions extends RunOptions {
  readonly name?: string;
  readonly requestId?: string;
  readonly validateOnly?: boolean;
  readonly detach?: boolean;
}

export async function run(environment: string, options: RunCommandOptions, context: CommandContext): Promise<ExitCode> {
  const settings = runSettings(environment, options);
  await using session = await openSession(context);
  if (settings.model === "") settings.model = await onlyModel(session, context);
  const created = await session.optimizer.createRun(
    optimizer.CreateRunRequest.fromPartial({
      settings,
      displayName: options.name ?? "",
      // A call that is tried again must not become a second run.
      requestId: options.requestId ?? randomUUID(),
      validateOnly: options.validateOnly ?? false,
    }),
    { signal: context.interrupted },
  );
  if (options.validateOnly === true) {
    if (context.json) context.output.data(JSON.stringify(toProtoJson(optimizer.CreateRunResponse, created)));
    else context.output.data(estimateWords(created.estimate));
    return EXIT.ok;
  }
  const id = created.run?.id ?? "";
  if (options.detach === true) {
    context.output.data(context.json ? JSON.stringify(toProtoJson(optimizer.CreateRunResponse, created)) : id);
    if (session.temporary) context.output.note(comeBack(id, session));
    return EXIT.ok;
  }
  return await watchToEnd(session, id, context);
}

/** Shows a run until its end and prints what it came to; `watch` does the same with an older run. */
export async function watchToEnd(session: Session, id: string, context: CommandContext): Promise<ExitCode> {
  const progress = await showRun(session, id, context);
  if (!hasEnded(progress.run)) {
    context.output.note(comeBack(id, session));
    return EXIT.ok;
  }
  if (!context.json) {
    const request = optimizer.GetRunRequest.fromPartial({ runId: id, view: optimizer.RunView.RUN_VIEW_FULL });
    const { run: ended } = await session.optimizer.getRun(request);
    if (ended !== undefined) printRun(ended, context.output);
  }
  return exitCodeOfRun(progress.run);
}

/** How a run's end ends its command. */
export function exitCodeOfRun(run: optimizer.Run | undefined): ExitCode {
  if (run?.state === optimizer.RunState.RUN_STATE_SUCCEEDED) return EXIT.ok;
  return run?.state === optimizer.RunState.RUN_STATE_STOPPED_BY_BUDGET ? EXIT.budget : EXIT.failed;
}

export function comeBack(id: string, session: Session): string {
  const goesOn = session.temporary ? "it is kept, and goes on while a fleet is up" : "it goes on without us";
  return `run ${id} is not cancelled: ${goesOn}\n  come back:  promptpo watch ${id}\n  end it:     promptpo cancel ${id}`;
}

async function onlyModel(session: Session, context: CommandContext): Promise<string> {
  const names = (await listModels(session, context.interrupted)).map((model) => model.name);
  const [only] = names;
  if (only !== undefined && names.length === 1) {
    context.output.note(`asking ${only}, the only model there is`);
    return only;
  }
  throw new UsageError(
    "no model is named",
    names.length === 0
      ? "Name one: --model NAME (and set OPENAI_API_KEY, or OPENAI_BASE_URL for an endpoint of your own)"
      : `Name one: --model ${names.slice(0, 8).join(" | ")}`,
  );
}

function estimateWords(estimate: optimizer.RunEstimate | undefined): string {
  if (estimate === undefined) return "no estimate";
  return [
    `${formatCount(estimate.callCount)} to ${formatCount(estimate.maxCallCount)} model calls`,
    `about ${formatCount(estimate.tokens)} tokens`,
    formatCost(estimate.cost),
    `${formatCount(estimate.steps)} environment steps without repairs`,
  ].join(", ");
}
