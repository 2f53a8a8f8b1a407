// `promptpo eval POLICY.py --env ENV --seeds 0..4`: episodes of a hand-written policy. A failing episode leaves the others
// their results; the exit code is 1 then.
import { readFileSync } from "node:fs";
import { rollout, type types } from "@promptpo/contracts";
import type { CommandContext } from "../context.ts";
import { errorKind, evalDocument } from "../eval-document.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { formatCount, formatNumber, formatShare } from "../format.ts";
import { parseSeeds } from "../seeds.ts";
import { openSession } from "../session.ts";
import { table } from "../table.ts";
import { UsageError } from "../usage-error.ts";

export interface EvalOptions {
  readonly env: string;
  readonly seeds: string;
  readonly variant?: string;
}

export async function evaluate(policy: string, options: EvalOptions, context: CommandContext): Promise<ExitCode> {
  const seeds = parseSeeds(options.seeds);
  const request = rollout.EvaluatePolicyRequest.fromPartial({
    environment: options.env,
    variant: options.variant ?? "",
    policySource: readPolicy(policy),
    seeds,
  });
  await using session = await openSession(context);
  const episodes: types.EpisodeResult[] = [];
  let summary: rollout.EvaluationSummary | undefined;
  for await (const { part } of session.rollout.evaluatePolicy(request, { signal: context.interrupted })) {
    if (part?.$case === "episode") {
      episodes.push(part.value);
      if (context.output.live) context.output.note(context.output.colors.dim(`seed ${part.value.seed} done`));
    } else if (part?.$case === "progress") {
      if (context.output.live) context.output.note(context.output.colors.dim(progressLine(part.value)));
    } else if (part?.$case === "summary") summary = part.value;
  }
  if (summary === undefined) throw new Error("the rollout service ended the evaluation without its summary");
  if (context.json) context.output.data(evalDocument(options.env, episodes, summary));
  else for (const line of evalLines(options.env, episodes, summary)) context.output.data(line);
  if (!summary.confined)
    context.output.note(context.output.colors.yellow("the policy ran unconfined (PROMPTPO_UNCONFINED)"));
  return summary.failedCount === 0n ? EXIT.ok : EXIT.failed;
}

function progressLine({ endedCount, episodeCount, stepCount, queuedCount }: rollout.EvaluationProgress): string {
  const waiting = queuedCount > 0n ? `, ${formatCount(queuedCount)} episodes of all callers wait` : "";
  return `${formatCount(endedCount)} of ${formatCount(episodeCount)} episodes, ${formatCount(stepCount)} steps${waiting}`;
}

export function evalLines(
  environment: string,
  episodes: readonly types.EpisodeResult[],
  summary: rollout.EvaluationSummary,
): string[] {
  const rows = episodes.map((episode) => [
    String(episode.seed),
    episode.error === undefined ? formatNumber(episode.returnValue) : "failed",
    episode.success ? "yes" : "no",
    formatCount(episode.length),
    episode.error !== undefined
      ? errorKind(episode.error)
      : episode.terminated
        ? "terminated"
        : episode.truncated
          ? "truncated"
          : "",
  ]);
  return [
    ...table(
      [
        { title: "seed", right: true },
        { title: "return", right: true },
        { title: "success" },
        { title: "steps", right: true },
        { title: "end" },
      ],
      rows,
    ),
    `${environment}: mean return ${formatNumber(summary.meanReturn)}, success ${formatShare(summary.successRate)}, ${formatCount(summary.stepCount)} steps`,
    ...errorLines(episodes),
  ];
}

/** Each different failure once, with the seeds that met it. */
function errorLines(episodes: readonly types.EpisodeResult[]): string[] {
  const seeds = new Map<string, bigint[]>();
  for (const { error, seed } of episodes) {
    if (error === undefined) continue;
    const where = error.line > 0 ? ` (line ${error.line}${error.column > 0 ? `, column ${error.column}` : ""})` : "";
    const at = error.step >= 0n && error.traceback !== "" ? ` at step ${error.step}` : "";
    const traceback = error.traceback.trimEnd();
    // A traceback ends with the message.
    const what = traceback.endsWith(error.message)
      ? `:\n${traceback}`
      : `: ${error.message}${traceback === "" ? "" : `\n${traceback}`}`;
    const text = `${errorKind(error)}${where}${at}${what}`;
    seeds.set(text, [...(seeds.get(text) ?? []), seed]);
  }
  return [...seeds].map(([text, which]) => `seed ${which.join(", ")}: ${text}`);
}

function readPolicy(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const why =
      error instanceof Error && "code" in error && error.code === "ENOENT" ? "does not exist" : "cannot be read";
    throw new UsageError(
      `the policy ${file} ${why}`,
      "Name a Python file with one class that has a method act(self, obs).",
    );
  }
}
