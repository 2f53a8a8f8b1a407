// The recorder's own command line.
import { addRunOptions } from "../run-options.ts";
import { runProgram } from "../run-program.ts";
import type { CliWorld } from "../world.ts";
import { recordRun } from "./record-run.ts";

export function runRecorder(args: readonly string[], world: CliWorld): Promise<number> {
  return runProgram("npm run record --", args, world, (program, does) => {
    addRunOptions(program.description("Record a run: real answers, then a strict replay."))
      .option("--env <id>", "environment id")
      .option("--out <dir>", "folder of the recording")
      .option("--about <text>", "what it shows")
      .option("--resume", "go on with an interrupted recording")
      .option("--no-verify", "no strict replay afterwards")
      .action(does((context, options) => recordRun(options, context)));
  });
}
