// `recording.yaml`: what a recording of a whole run says of itself: who answered, when, with which settings, and the digest
// that a strict replay on the same fingerprint comes to. The answers beside it are the gateway's.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromProtoJson, type Json, optimizer, toProtoJson } from "@promptpo/contracts";
import { FleetProblem } from "@promptpo/fleet";
import { parse, stringify } from "yaml";
import { z } from "zod";

const File = z.object({
  version: z.number(),
  /** True name of the model that answered. */
  model: z.string(),
  /** ISO date of the answers. */
  date: z.string(),
  about: z.string().default(""),
  settings: z.record(z.string(), z.json()),
  digest: z.string().default(""),
  fingerprint_digest: z.string().default(""),
});

export interface RecordingFile {
  readonly version: number;
  readonly model: string;
  readonly date: string;
  readonly about: string;
  readonly settings: optimizer.RunSettings;
  /** Hex sha-256 of the run's canonical event log. */
  readonly digest: string;
  /** The numeric fingerprint on which it was recorded. */
  readonly fingerprintDigest: string;
}

export function readRecordingFile(folder: string): RecordingFile {
  const file = join(folder, "recording.yaml");
  try {
    const found = File.parse(parse(readFileSync(file, "utf8")));
    return {
      ...found,
      settings: fromProtoJson(optimizer.RunSettings, found.settings as Json),
      fingerprintDigest: found.fingerprint_digest,
    };
  } catch (cause) {
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : cause instanceof Error ? cause.message : "";
    throw new FleetProblem(
      missing ? `there is no recording in ${folder}` : `${file} is not the description of a recorded run: ${why}`,
      "Name a folder with recorded answers (--recording DIR), or run live: npm start -- --env ENV --model NAME",
      { cause },
    );
  }
}

/** Written beside and moved, so that a reader sees the whole file. */
export function writeRecordingFile(folder: string, recording: RecordingFile): void {
  const file = join(folder, "recording.yaml");
  const { fingerprintDigest, settings, ...rest } = recording;
  const content = stringify(
    { ...rest, fingerprint_digest: fingerprintDigest, settings: toProtoJson(optimizer.RunSettings, settings) },
    { lineWidth: 100 },
  );
  writeFileSync(`${file}.partial`, content);
  renameSync(`${file}.partial`, file);
}
