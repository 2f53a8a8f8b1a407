// What every command line of ours does around its commands: global options, Ctrl-C, and every failure told and turned into an
// exit code.
import { Command, CommanderError } from "commander";
import { type CommandContext, dataFolderOf } from "./context.ts";
import { describeError } from "./describe-error.ts";
import { EXIT, type ExitCode, exitCodeOf } from "./exit-codes.ts";
import { createOutput } from "./output.ts";
import type { CliWorld } from "./world.ts";

/** A terminal's Ctrl-C may reach us twice: from the terminal and passed on by the launcher. */
const SAME_SIGNAL_MS = 500;
const EXIT_INTERRUPTED = 130;

/**
 * Wraps a command's work into what commander calls: its arguments come first, then its options. Commander hands them over
 * untyped; each command names the shape that its own option declarations give them.
 */
export type Does = (
  work: (context: CommandContext, ...args: never[]) => Promise<ExitCode>,
) => (...given: unknown[]) => Promise<void>;

export async function runProgram(
  name: string,
  args: readonly string[],
  world: CliWorld,
  build: (program: Command, does: Does) => void,
): Promise<number> {
  const output = createOutput(world.stdout, world.stderr, world.env);
  const interrupted = interruption(world);
  let exitCode: number = EXIT.ok;
  const program = new Command(name)
    .option("--json", "proto JSON on standard output, one object a line for streams")
    .option("--data <dir>", "data folder of the embedded fleet (default .promptpo/fleet, or PROMPTPO_DATA)")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void world.stdout.write(text),
      writeErr: (text) => void world.stderr.write(text),
    })
    .exitOverride()
    .showHelpAfterError(`(${name} --help lists what there is)`);
  build(program, (work) => async (...given) => {
    const command = given.at(-1);
    if (!(command instanceof Command)) throw new TypeError("commander calls with the command last");
    const options = command.optsWithGlobals<{ json?: boolean; data?: string }>();
    const context: CommandContext = {
      output,
      json: options.json ?? false,
      dataFolder: dataFolderOf(options.data, world.env),
      env: world.env,
      interrupted,
      command: [name, ...args].join(" ").slice(0, 120),
    };
    exitCode = await work(context, ...(given.slice(0, -1) as never[]));
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (interrupted.aborted && isAbort(error)) {
      output.note("interrupted");
      return EXIT_INTERRUPTED;
    }
    output.note(describeError(error));
    if (world.env["PROMPTPO_DEBUG"] !== undefined && error instanceof Error) output.note(error.stack ?? "");
    return exitCodeOf(error);
  }
}

/** Aborts at the first signal; one more, sent on purpose, ends the process at once. */
function interruption({ signals }: CliWorld): AbortSignal {
  const controller = new AbortController();
  let last = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    signals.on(signal, () => {
      const now = performance.now();
      const again = controller.signal.aborted && now - last > SAME_SIGNAL_MS;
      last = now;
      if (again) process.exit(EXIT_INTERRUPTED);
      controller.abort();
    });
  }
  return controller.signal;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === "AbortError" || ("reason" in error && error.reason === "CANCELLED"));
}
