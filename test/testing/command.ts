// One command of the command line, run within the test's process.
import { EventEmitter } from "node:events";
import { runCli } from "@promptpo/cli/run-cli.ts";

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `data`: the data folder, whose fleet is used where one is up. */
export async function promptpo(data: string, ...args: string[]): Promise<Ended> {
  let [out, err] = ["", ""];
  const code = await runCli(args, {
    stdout: {
      write: (text) => {
        out += text;
      },
    },
    stderr: {
      write: (text) => {
        err += text;
      },
    },
    env: { ...process.env, PROMPTPO_DATA: data },
    signals: new EventEmitter(),
  });
  return { code, out, err };
}
