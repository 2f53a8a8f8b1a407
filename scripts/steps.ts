// Runs named commands one after another, shows each one's outcome and time, and keeps going so that one run tells all.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const python = join(root, ".promptpo/venv/bin/python");

export interface Step {
  readonly name: string;
  readonly command: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Outcome {
  readonly name: string;
  readonly ok: boolean;
  readonly output: string;
  readonly seconds: number;
}

/** Runs one step; its output is passed through when `show` is set and kept in any case. */
export function runStep(step: Step, show: boolean): Promise<Outcome> {
  const started = performance.now();
  const path = [join(root, "node_modules/.bin"), dirname(process.execPath), process.env["PATH"]].join(":");
  const [command = "", ...args] = step.command;
  const child = spawn(command, args, {
    cwd: step.cwd ?? root,
    env: { ...process.env, PATH: path, PYTHONPATH: join(root, "python"), ...step.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pieces: Buffer[] = [];
  const take = (piece: Buffer): void => {
    pieces.push(piece);
    if (show) process.stdout.write(piece);
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  return new Promise((resolve) => {
    const done = (ok: boolean, problem = ""): void =>
      resolve({
        name: step.name,
        ok,
        output: Buffer.concat(pieces).toString() + problem,
        seconds: (performance.now() - started) / 1000,
      });
    child.on("error", (error) => done(false, error.message));
    child.on("close", (code) => done(code === 0));
  });
}
