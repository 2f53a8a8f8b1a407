// Runs the programs that set-up needs (npm, python, pip, apt-get): output into a log file, one process group each, ended
// with set-up. A group that a killed set-up left running is ended by the next one before it touches the same folders.
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isSameProcess, processStart } from "../../packages/fleet/src/process-identity.mjs";
import { stamps } from "./paths.mjs";
import { SetupProblem } from "./problem.mjs";

const childFile = () => join(stamps, "child.json");

/** @type {import("node:child_process").ChildProcess | undefined} */
let running;

/**
 * Runs a program to its end; its last lines become the message when it fails.
 * @param {{ command: string, args: readonly string[], cwd: string, log: string, env?: NodeJS.ProcessEnv, remedy: string }} options
 */
export async function runLogged({ command, args, cwd, log, env, remedy }) {
  mkdirSync(dirname(log), { recursive: true });
  const output = openSync(log, "a", 0o600);
  const from = readFileSync(log).length;
  try {
    const child = spawn(command, args, {
      cwd,
      env: env ?? process.env,
      stdio: ["ignore", output, output],
      detached: true,
    });
    running = child;
    if (child.pid !== undefined)
      writeFileSync(childFile(), JSON.stringify({ pid: child.pid, start: processStart(child.pid) }));
    const outcome = await new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(code === 0 ? "" : `exit ${code ?? signal}`));
    });
    if (outcome !== "") {
      const tail = telling(readFileSync(log).subarray(from).toString());
      const shown = [command.split("/").at(-1), ...args].join(" ").slice(0, 160);
      throw new SetupProblem(`\`${shown}\` failed (${outcome}):\n${tail}`, `${remedy}\nThe whole output: ${log}`);
    }
  } finally {
    running = undefined;
    rmSync(childFile(), { force: true });
    closeSync(output);
  }
}

/** The lines that say what went wrong: npm puts them first and its help after them, everybody else puts them last. @param {string} output */
function telling(output) {
  const lines = output.trimEnd().split("\n");
  const error = lines.findIndex((line) => line.startsWith("npm error"));
  return (error >= 0 ? lines.slice(error, error + 10) : lines.slice(-15)).join("\n");
}

/** Ends what runs now, its children included. */
export function killRunning() {
  if (running?.pid === undefined) return;
  signalGroup(running.pid, "SIGTERM");
  rmSync(childFile(), { force: true });
}

/** Ends what a killed set-up left running. The caller holds the set-up lock. */
export async function endLeftover() {
  if (!existsSync(childFile())) return;
  try {
    const { pid, start } = JSON.parse(readFileSync(childFile(), "utf8"));
    for (const signal of /** @type {const} */ (["SIGTERM", "SIGKILL"])) {
      for (let turn = 0; turn < 50 && typeof start === "string" && isSameProcess(pid, start); turn++) {
        if (turn === 0) signalGroup(pid, signal);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  } catch {
    // Half a file: its writer died in that very moment, and the child with an empty log is npm's to mend.
  }
  rmSync(childFile(), { force: true });
}

/** @param {number} pid @param {NodeJS.Signals} signal */
function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended before us.
  }
}
