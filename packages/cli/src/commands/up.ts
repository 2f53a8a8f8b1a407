// `promptpo up`: the fleet stays up until Ctrl-C. Refuses a folder whose fleet is up already, and says where that one is.
import { resolve } from "node:path";
import { type Fleet, readFleetState } from "@promptpo/fleet";
import type { CommandContext } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { openFleetFor } from "../session.ts";

export interface UpOptions {
  /** Folder of recorded answers to replay instead of asking a provider. */
  readonly recording?: string;
}

export async function up(options: UpOptions, context: CommandContext): Promise<ExitCode> {
  const { recording } = options;
  const fleet = await openFleetFor(
    context,
    recording === undefined ? {} : { answers: { kind: "recording", folder: resolve(recording), mode: "replay" } },
  );
  if (fleet.joined) {
    await fleet.stop();
    const state = readFleetState(context.dataFolder);
    context.output.note(
      `the fleet is up already: process ${state?.owner.pid} (${state?.purpose}) owns it since ${state?.since}; commands use it as it is`,
    );
    print(fleet, context);
    return EXIT.ok;
  }
  print(fleet, context);
  context.output.note("the fleet is up; Ctrl-C stops it");
  if (!context.interrupted.aborted)
    await new Promise((resolve) => context.interrupted.addEventListener("abort", resolve, { once: true }));
  context.output.note("stopping");
  await fleet.stop();
  return EXIT.ok;
}

function print(fleet: Fleet, context: CommandContext): void {
  if (context.json) {
    context.output.data(
      JSON.stringify({ addresses: fleet.addresses, metrics: fleet.metrics, recording: fleet.recording ?? null }),
    );
    return;
  }
  for (const [name, address] of Object.entries(fleet.addresses))
    context.output.data(
      `${name.padEnd(10)} ${address}  metrics http://${fleet.metrics[name as keyof Fleet["metrics"]]}/metrics`,
    );
  const variables = Object.entries(fleet.addresses).map(
    ([name, address]) => `PROMPTPO_${name.toUpperCase()}=${address}`,
  );
  context.output.data(`export ${variables.join(" ")}  # for programs of yours`);
  if (fleet.recording !== undefined)
    context.output.data(`answers    ${fleet.recording.folder} (${fleet.recording.mode})`);
}
