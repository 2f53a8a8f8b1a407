// What every command gets: where to write, how to speak (text or JSON), which data folder, and the signal of Ctrl-C.
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Output } from "./output.ts";

export const checkout = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

export interface CommandContext {
  readonly output: Output;
  /** Proto JSON on standard output instead of text. */
  readonly json: boolean;
  /** Databases, logs and artifacts of the embedded fleet. */
  readonly dataFolder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
  /** The command as it was typed, for messages and for whoever finds the folder held. */
  readonly command: string;
}

export function dataFolderOf(option: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  const named = option ?? env["PROMPTPO_DATA"];
  return named === undefined || named === "" ? join(checkout, ".promptpo", "fleet") : resolve(named);
}

/** Ready answers in this checkout, used where no provider's key is set. */
export const demoRecording = join(checkout, "recordings", "demo");
