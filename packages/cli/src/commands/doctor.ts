// `promptpo doctor`: is everything there that the fleet needs, and does it work? One line a question; the exit code is 7 when
// something is missing that the fleet cannot do without.
import { existsSync, readFileSync, statfsSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { rollout } from "@promptpo/contracts";
import { FleetProblem, readFleetState, videoSettings } from "@promptpo/fleet";
import { FleetError } from "@promptpo/service-kit";
import { type CommandContext, checkout, demoRecording } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { hasProvider, openSession } from "../session.ts";
import { listModels } from "./models.ts";

interface Finding {
  readonly name: string;
  readonly state: "ok" | "note" | "missing";
  readonly text: string;
}

export async function doctor(context: CommandContext): Promise<ExitCode> {
  const findings: Finding[] = [];
  const tell = (name: string, state: Finding["state"], text: string): void => {
    findings.push({ name, state, text });
    if (!context.json) context.output.data(`${state.padEnd(8)} ${name.padEnd(12)} ${text}`);
  };
  machine(tell, context);
  await services(tell, context);
  if (context.json) for (const finding of findings) context.output.data(JSON.stringify(finding));
  return findings.some((finding) => finding.state === "missing") ? EXIT.precondition : EXIT.ok;
}

type Tell = (name: string, state: Finding["state"], text: string) => void;

function machine(tell: Tell, context: CommandContext): void {
  tell("node", "ok", `${process.version} at ${process.execPath}`);
  const python = join(checkout, ".promptpo", "venv", "bin", "python");
  if (existsSync(python)) tell("python", "ok", python);
  else tell("python", "missing", `${python} is not there: run npm run setup`);
  tell("machine", "ok", `${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB of memory`);
  const disk = statfsSync(checkout);
  const free = (disk.bavail * disk.bsize) / 2 ** 30;
  tell("disk", free < 1 ? "note" : "ok", `${free.toFixed(1)} GiB free`);
  const video = videoSettings(checkout);
  if (video.why !== "") tell("video", "note", video.why);
  else tell("video", "ok", video.env["MUJOCO_GL"] ?? "the system's own");
  const recording = join(demoRecording, "recording.yaml");
  tell(
    "recording",
    existsSync(recording) ? "ok" : "note",
    existsSync(recording) ? demoRecording : "no recorded demonstration",
  );
  tell("provider", hasProvider(context.env) ? "ok" : "note", providerWords(context.env));
}

function providerWords(env: CommandContext["env"]): string {
  const base = env["OPENAI_BASE_URL"];
  if (!hasProvider(env)) return "none: set OPENAI_API_KEY for live runs; recordings replay without";
  const key = (env["OPENAI_API_KEY"] ?? "") === "" ? "no key" : "a key is set";
  // An endpoint may carry credentials; only its host is shown.
  return `${base === undefined || base === "" ? "OpenAI" : URL.canParse(base) ? new URL(base).host : "OPENAI_BASE_URL is not a URL"}, ${key}`;
}

async function services(tell: Tell, context: CommandContext): Promise<void> {
  const before = readFleetState(context.dataFolder);
  if (before?.phase === "up")
    tell("fleet", "ok", `up: process ${before.owner.pid} (${before.purpose}) since ${before.since}`);
  else tell("fleet", "ok", `not up; its data folder is ${context.dataFolder}`);
  try {
    await using session = await openSession(context);
    const call = { signal: context.interrupted, timeoutMs: 60_000 };
    const listed = await session.rollout.listEnvironments(rollout.ListEnvironmentsRequest.fromPartial({}), call);
    tell("rollout", "ok", `${listed.environments.length} environments`);
    tell("fingerprint", "ok", fingerprintWords(listed.fingerprint?.digest));
    const models = await listModels(session, context.interrupted);
    tell(
      "gateway",
      models.length > 0 ? "ok" : "note",
      models.length > 0 ? models.map((model) => model.name).join(", ") : "no model can be asked",
    );
    await session.optimizer.listRuns({ pageSize: 1, pageToken: "", filter: "", orderBy: "" }, call);
    tell("optimizer", "ok", session.addresses.optimizer);
  } catch (error) {
    if (error instanceof FleetProblem) tell("fleet", "missing", error.describe());
    else if (error instanceof FleetError) tell("fleet", "missing", `${error.message} (${error.reason})`);
    else throw error;
  }
}

/** Numbers are the same to the last bit on machines of one fingerprint. */
function fingerprintWords(digest: string | undefined): string {
  if (digest === undefined || digest === "") return "unknown";
  const file = join(demoRecording, "recording.yaml");
  const recorded = existsSync(file) && readFileSync(file, "utf8").includes(digest);
  return `${digest.slice(0, 16)}${recorded ? ", the recording's own" : ""}`;
}
