// A measuring program in Python (python/serving.py has its end of the line), started here and stopped by closing its input.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { type Contestant, Measurement } from "./measurement.ts";
import { benchPython, root } from "./paths.ts";

/** What makes numbers the same in every process, as the sidecars have it; and no OpenGL, since nobody looks. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  PYTHONHASHSEED: "0",
  OPENBLAS_NUM_THREADS: "1",
  OMP_NUM_THREADS: "1",
  MKL_NUM_THREADS: "1",
  NUMEXPR_NUM_THREADS: "1",
  MUJOCO_GL: "disable",
  PYTHONPATH: join(root, "python"),
};
const STOP_MS = 10_000;

/**
 * Resolves once the program is ready to measure.
 * @param interpreter Python of the environment that the program needs
 * @param program file name in bench/python
 */
export async function pythonContestant(
  interpreter: string,
  program: string,
  args: readonly (string | number)[],
): Promise<Contestant> {
  const child = spawn(interpreter, [join(benchPython, program), ...args.map(String)], {
    cwd: root,
    env: { ...process.env, ...ENVIRONMENT },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const stderr: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => stderr.push(line));
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const { done, value } = await answers.next();
    if (done !== true) return JSON.parse(value);
    const tail = stderr.slice(-15).join("\n");
    throw new Error(`${program} ${args.join(" ")} ended without an answer:\n${tail}`);
  };
  try {
    z.object({ ready: z.literal(true) }).parse(await answer());
  } catch (error) {
    await stop(child);
    throw error;
  }
  return {
    async measure(round) {
      child.stdin.write(`${JSON.stringify({ round })}\n`);
      return Measurement.parse(await answer());
    },
    [Symbol.asyncDispose]: () => stop(child),
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.stdin?.end();
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await exited;
  clearTimeout(timer);
}
