// The commands of `promptpo` and their options.
import { call } from "./commands/call.ts";
import { demo } from "./commands/demo.ts";
import { doctor } from "./commands/doctor.ts";
import { environments } from "./commands/envs.ts";
import { evaluate } from "./commands/eval.ts";
import { models } from "./commands/models.ts";
import { run } from "./commands/run.ts";
import { cancel, get, list, show, watch } from "./commands/runs.ts";
import { up } from "./commands/up.ts";
import { addRunOptions } from "./run-options.ts";
import { runProgram } from "./run-program.ts";
import type { CliWorld } from "./world.ts";

const ABOUT = "Prompted Policy Optimization: a language model writes, tests and improves policies on real simulators.";

export function runCli(args: readonly string[], world: CliWorld): Promise<number> {
  return runProgram("promptpo", args, world, (program, does) => {
    program.description(ABOUT);
    addRunOptions(program.command("demo"))
      .description("the main job: a whole run with its summary, from recorded answers unless --model names a live one")
      .option("--env <id>", "environment of a live run")
      .option("--recording <dir>", "recorded answers to replay (default recordings/demo)")
      .option("--out <dir>", "where the summary's files go (default .promptpo/runs)")
      .action(does((context, options) => demo(options, context)));

    program
      .command("up")
      .description("keep the fleet up until Ctrl-C")
      .option("--recording <dir>", "replay recorded answers instead of asking a provider")
      .action(does((context, options) => up(options, context)));
    addRunOptions(program.command("run").argument("<env>", "environment id").description("start a run and watch it"))
      .option("--name <text>", "a name for people")
      .option("--request-id <id>", "idempotency key: the same key is the same run")
      .option("--validate-only", "check and estimate, start nothing")
      .option("--detach", "print the run's id and leave")
      .action(does((context, env, options) => run(env, options, context)));
    program
      .command("watch")
      .argument("<run>")
      .description("watch a run from its beginning until its end")
      .action(does((context, id) => watch(id, context)));
    program
      .command("list")
      .description("runs, newest first")
      .option("--filter <text>", 'such as state=RUNNING AND environment="NoiseWorld-0"')
      .option("--limit <n>", "at most this many (default 100)")
      .action(does((context, options) => list(options, context)));
    program
      .command("get")
      .argument("<name>", "a run, or a candidate RUN/r1/c03")
      .description("one run")
      .option("--digest", "the sha-256 of its canonical event log, nothing else")
      .option("--full", "every episode and the best source")
      .action(does((context, name, options) => get(name, options, context)));
    program
      .command("show")
      .argument("<candidate>", "RUN/r1/c03")
      .description("one candidate: source, scores, attempts")
      .action(does((context, id) => show(id, context)));
    program
      .command("cancel")
      .argument("<run>")
      .option("--reason <text>", "why, for the log")
      .description("end a run; what is paid for is kept")
      .action(does((context, id, options) => cancel(id, options, context)));
    program
      .command("eval")
      .argument("<policy>", "a Python file")
      .requiredOption("--env <id>", "environment id")
      .requiredOption("--seeds <list>", "0,1,2,51 or 0..4")
      .option("--variant <name>", "variant of the environment")
      .description("episodes of a policy of your own")
      .action(does((context, policy, options) => evaluate(policy, options, context)));
    program
      .command("envs")
      .argument("[env]")
      .option("--variant <name>", "variant of the environment")
      .option("--family <name>", "only this family")
      .description("environments, or one with its texts")
      .action(does((context, id, options) => environments(id, options, context)));
    program
      .command("models")
      .description("models that can be asked")
      .action(does((context) => models(context)));
    program
      .command("doctor")
      .description("what this machine has and lacks")
      .action(does((context) => doctor(context)));
    program
      .command("call")
      .argument("[method]", "such as RolloutService/ListEnvironments; left out: the methods there are")
      .option("-d, --data-json <json>", "a request in proto JSON; again for more messages of a stream", collect)
      .description("any method of any service")
      .action(does((context, method, options) => call(method, options, context)));
  });
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];
