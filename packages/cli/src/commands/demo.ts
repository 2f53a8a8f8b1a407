// `npm start`: the main job from beginning to end. From recorded answers without a key and without a network, or live when a
// model is named. Ends with a summary in a folder and on the terminal; the fleet that it started is gone then.
import { randomUUID } from "node:crypto";
import { join, resolve } from "node:path";
import { llm, optimizer } from "@promptpo/contracts";
import { type Answers, FleetProblem } from "@promptpo/fleet";
import { type CommandContext, checkout, demoRecording } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { hasEnded } from "../progress/progress.ts";
import { showRun } from "../progress/show-run.ts";
import { readRecordingFile } from "../recording-file.ts";
import { type RunOptions, runSettings } from "../run-options.ts";
import { openSession, type Session } from "../session.ts";
import { summaryLines, writeSummary } from "../summary/write-summary.ts";
import { UsageError } from "../usage-error.ts";
import { comeBack, exitCodeOfRun } from "./run.ts";

export interface DemoOptions extends RunOptions {
  readonly env?: string;
  readonly recording?: string;
  readonly out?: string;
}

interface Job {
  readonly settings: optimizer.RunSettings;
  readonly answers: Answers;
  /** The plain line that says who answers. */
  readonly words: string;
  readonly name: string;
}

export async function demo(options: DemoOptions, context: CommandContext): Promise<ExitCode> {
  const job = isLive(options) ? liveJob(options, context) : recordedJob(options);
  context.output.note(job.words);
  await using session = await openSession(context, { answers: job.answers });
  if (session.fleet?.joined === true) context.output.note(`joined the fleet that is up in ${context.dataFolder}`);
  const created = await session.optimizer.createRun(
    optimizer.CreateRunRequest.fromPartial({
      settings: job.settings,
      displayName: job.name,
      // A new run each time: the one of the last time stays as it is.
      requestId: randomUUID(),
    }),
    { signal: context.interrupted },
  );
  const id = created.run?.id ?? "";
  const progress = await showRun(session, id, context, { json: false });
  if (!hasEnded(progress.run)) {
    context.output.note(comeBack(id, session));
    return EXIT.ok;
  }
  await finish(session, id, job, options, progress.scored, context);
  return exitCodeOfRun(progress.run);
}

async function finish(
  session: Session,
  id: string,
  job: Job,
  options: DemoOptions,
  scored: Parameters<typeof writeSummary>[2]["scored"],
  context: CommandContext,
): Promise<void> {
  const request = optimizer.GetRunRequest.fromPartial({ runId: id, view: optimizer.RunView.RUN_VIEW_FULL });
  const { run } = await session.optimizer.getRun(request);
  if (run === undefined) return;
  const folder = join(options.out === undefined ? join(checkout, ".promptpo", "runs") : resolve(options.out), id);
  const summary = await writeSummary(session, run, { folder, answers: job.words, scored }, context);
  if (context.json) {
    const score = (of: optimizer.Score | undefined) =>
      of === undefined ? null : { mean_return: finite(of.meanReturn), success_rate: finite(of.successRate) };
    context.output.data(
      JSON.stringify({
        run: id,
        digest: run.digest,
        answers: job.words,
        candidate: run.result?.candidateId ?? null,
        selection: score(run.result?.selectionScore),
        heldout: score(run.result?.heldoutScore),
        files: summary.files,
        no_video: summary.noVideo,
      }),
    );
    return;
  }
  for (const line of summaryLines(run, summary, job.words)) context.output.data(line);
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

function isLive(options: DemoOptions): boolean {
  return options.model !== undefined || options.env !== undefined;
}

function liveJob(options: DemoOptions, context: CommandContext): Job {
  if (options.env === undefined)
    throw new UsageError(
      "a live run needs an environment",
      "Name one: npm start -- --env HalfCheetah-v5 --model NAME (promptpo envs lists them)",
    );
  if (options.model === undefined)
    throw new UsageError("a live run needs a model", `Name one: npm start -- --env ${options.env} --model NAME`);
  if ((context.env["OPENAI_API_KEY"] ?? "") === "" && (context.env["OPENAI_BASE_URL"] ?? "") === "") {
    throw new FleetProblem(
      `a live run asks ${options.model}, and neither OPENAI_API_KEY nor OPENAI_BASE_URL is set`,
      "Set OPENAI_API_KEY, and OPENAI_BASE_URL for another endpoint than OpenAI's; without arguments npm start replays recorded answers.",
    );
  }
  return {
    settings: runSettings(options.env, options),
    answers: { kind: "provider" },
    words: `live answers from ${options.model}`,
    name: `${options.env} live`,
  };
}

/** The recording's own settings; the options that are given win, at the price of answers that fit less well. */
function recordedJob(options: DemoOptions): Job {
  const folder = options.recording === undefined ? demoRecording : resolve(options.recording);
  const recording = readRecordingFile(folder);
  const settings: optimizer.RunSettings = {
    ...recording.settings,
    // A stranger's first command never fails for a prompt that differs: it warns and shows the difference.
    replayTolerance: llm.ReplayTolerance.REPLAY_TOLERANCE_PLACE,
  };
  if (options.rounds !== undefined) settings.rounds = runSettings(undefined, { rounds: options.rounds }).rounds;
  return {
    settings,
    answers: { kind: "recording", folder, mode: "replay" },
    words: `recorded answers from ${recording.model}, ${recording.date}`,
    name: "demonstration",
  };
}
