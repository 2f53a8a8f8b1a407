// EnvPool in an environment of its own: it is no dependency of ours, and its packages must not meet the lock set.
import { execFile } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { bringUp } from "../bin/setup/step.mjs";
import { benchPython, lockedPython, root, state } from "./paths.ts";
import { say } from "./section.ts";

const run = promisify(execFile);
const folder = join(state, "envpool");
const lock = join(benchPython, "envpool.lock");
const INSTALL_MS = 10 * 60_000;

/** Installs it unless that is done; its interpreter, or why there is none. */
export async function envpool(): Promise<{ python: string } | { problem: string }> {
  const python = join(folder, "bin", "python");
  try {
    await bringUp(
      {
        name: "envpool",
        title: "EnvPool",
        inputs: () => [lock],
        present: () => existsSync(python),
        async run() {
          say("installing EnvPool (about 700 MB) ...");
          rmSync(folder, { recursive: true, force: true });
          await run(lockedPython, ["-m", "venv", folder]);
          const flags = ["--no-input", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
          await run(python, ["-m", "pip", "install", ...flags, "-r", lock], { timeout: INSTALL_MS });
          await run(python, ["-c", "import envpool"]);
        },
      },
      state,
      root,
      say,
    );
    return { python };
  } catch (error) {
    const lines = (error instanceof Error ? error.message : String(error)).trim().split("\n");
    return { problem: `EnvPool could not be installed: ${lines.at(-1)?.slice(0, 160)}` };
  }
}
