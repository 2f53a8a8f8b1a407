// Records a whole run: a fleet of its own whose gateway writes every answer into a folder, the run, what the recording says of
// itself, and a strict replay from the folder alone that must come to the same digest. A recording that was interrupted goes
// on where it stopped: the run is durable, and what is recorded is not asked again.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { durationFromMs, optimizer, rollout } from "@promptpo/contracts";
import { FleetProblem } from "@promptpo/fleet";
import { parse } from "yaml";
import { z } from "zod";
import { type CommandContext, checkout } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { hasEnded } from "../progress/progress.ts";
import { showRun } from "../progress/show-run.ts";
import { readRecordingFile, writeRecordingFile } from "../recording-file.ts";
import { type RunOptions, runSettings } from "../run-options.ts";
import { openSession, type Session } from "../session.ts";
import { UsageError } from "../usage-error.ts";

/** People may write the answers: an hour is the longest that a call can take. */
const MODEL_TIMEOUT_MS = 3_600_000;

export interface RecordOptions extends RunOptions {
  readonly env?: string;
  readonly out?: string;
  readonly about?: string;
  readonly resume?: boolean;
  readonly verify?: boolean;
}

export async function recordRun(options: RecordOptions, context: CommandContext): Promise<ExitCode> {
  const { output } = context;
  if (options.env === undefined || options.out === undefined || options.model === undefined)
    throw new UsageError(
      "a recording needs an environment, a model and a folder",
      "npm run record -- --env ENV --model NAME --out recordings/demo --rounds 3 --candidates 4 --seeds 0..4",
    );
  if ((context.env["OPENAI_API_KEY"] ?? "") === "" && (context.env["OPENAI_BASE_URL"] ?? "") === "")
    throw new FleetProblem(
      "nobody can answer",
      "Set OPENAI_BASE_URL (and OPENAI_API_KEY where the endpoint asks for one).",
    );
  const folder = resolve(options.out);
  const data = join(checkout, ".promptpo", "recording", basename(folder));
  if (options.resume !== true) {
    if (existsSync(folder) && readdirSync(folder).length > 0)
      throw new FleetProblem(
        `${folder} holds a recording already`,
        "Go on with it: --resume. Record anew: remove the folder first.",
      );
    rmSync(data, { recursive: true, force: true });
  }
  const settings = runSettings(options.env, options);
  settings.modelTimeout ??= durationFromMs(MODEL_TIMEOUT_MS);
  const recorded = await record({ ...context, dataFolder: data }, folder, settings);
  if (recorded === undefined) {
    output.note("the recording is not finished; go on with the same command and --resume");
    return EXIT.failed;
  }
  writeRecordingFile(folder, { ...indexOf(folder), ...recorded, about: options.about ?? "" });
  output.note(`recorded in ${folder}: digest ${recorded.digest}`);
  if (options.verify === false) return EXIT.ok;
  const digest = await replay({ ...context, dataFolder: `${data}-replay` }, folder);
  if (digest !== recorded.digest) {
    output.note(`WARNING: a strict replay came to another digest: ${digest ?? "it did not end"}`);
    return EXIT.failed;
  }
  output.data(digest);
  output.note("a strict replay from the folder alone comes to the same digest");
  rmSync(data, { recursive: true, force: true });
  return EXIT.ok;
}

interface Recorded {
  readonly settings: optimizer.RunSettings;
  readonly digest: string;
  readonly fingerprintDigest: string;
}

/** Undefined when the run did not succeed, or the recorder was interrupted. */
async function record(
  context: CommandContext,
  folder: string,
  settings: optimizer.RunSettings,
): Promise<Recorded | undefined> {
  await using session = await openSession(context, {
    answers: { kind: "recording", folder, mode: "record" },
    settings: { gateway: { PROMPTPO_MODEL_TIMEOUT_MS: String(MODEL_TIMEOUT_MS) } },
  });
  const run = await finishRun(session, settings, context);
  if (run?.settings === undefined) return undefined;
  const { fingerprint } = await session.rollout.listEnvironments(
    rollout.ListEnvironmentsRequest.fromPartial({ pageSize: 1 }),
  );
  return { settings: run.settings, digest: run.digest, fingerprintDigest: fingerprint?.digest ?? "" };
}

/** The digest that the recording alone comes to, every request matched by its key. */
async function replay(context: CommandContext, folder: string): Promise<string | undefined> {
  rmSync(context.dataFolder, { recursive: true, force: true });
  try {
    await using session = await openSession(context, { answers: { kind: "recording", folder, mode: "replay" } });
    const { settings } = readRecordingFile(folder);
    return (await finishRun(session, settings, context))?.digest;
  } finally {
    rmSync(context.dataFolder, { recursive: true, force: true });
  }
}

async function finishRun(
  session: Session,
  settings: optimizer.RunSettings,
  context: CommandContext,
): Promise<optimizer.Run | undefined> {
  // The same settings are the same run, so that an interrupted one goes on.
  const requestId = createHash("sha256").update(optimizer.RunSettings.encode(settings).finish()).digest("hex");
  const created = await session.optimizer.createRun(
    optimizer.CreateRunRequest.fromPartial({ settings, requestId, displayName: "recording" }),
    { signal: context.interrupted },
  );
  const progress = await showRun(session, created.run?.id ?? "", context, { json: false });
  if (!hasEnded(progress.run) || progress.run?.state !== optimizer.RunState.RUN_STATE_SUCCEEDED) return undefined;
  const request = optimizer.GetRunRequest.fromPartial({
    runId: progress.run.id,
    view: optimizer.RunView.RUN_VIEW_FULL,
  });
  return (await session.optimizer.getRun(request)).run;
}

const Index = z.object({ version: z.number(), model: z.string(), date: z.string() });

/** What the gateway noted down with the first answer: format, the model's own word for itself, the day. */
function indexOf(folder: string): z.infer<typeof Index> {
  return Index.parse(parse(readFileSync(join(folder, "recording.yaml"), "utf8")));
}
