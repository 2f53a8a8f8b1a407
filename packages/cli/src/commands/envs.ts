// `promptpo envs [ENV]`: the environments that can be simulated, or one with the texts that a model is shown.
import { rollout, toProtoJson, types } from "@promptpo/contracts";
import type { CommandContext } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { enumWord } from "../format.ts";
import { openSession } from "../session.ts";
import { table } from "../table.ts";

export interface EnvsOptions {
  readonly variant?: string;
  readonly family?: string;
}

export async function environments(
  id: string | undefined,
  options: EnvsOptions,
  context: CommandContext,
): Promise<ExitCode> {
  await using session = await openSession(context);
  const call = { signal: context.interrupted };
  if (id !== undefined) {
    const request = rollout.GetEnvironmentRequest.fromPartial({ environment: id, variant: options.variant ?? "" });
    const response = await session.rollout.getEnvironment(request, call);
    if (context.json) context.output.data(JSON.stringify(toProtoJson(rollout.GetEnvironmentResponse, response)));
    else if (response.environment !== undefined)
      for (const line of environmentLines(response.environment)) context.output.data(line);
    return EXIT.ok;
  }
  const found: rollout.Environment[] = [];
  for (let pageToken = ""; ; ) {
    const request = rollout.ListEnvironmentsRequest.fromPartial({ pageToken, family: options.family ?? "" });
    const page = await session.rollout.listEnvironments(request, call);
    found.push(...page.environments);
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  if (context.json) {
    for (const each of found) context.output.data(JSON.stringify(toProtoJson(rollout.Environment, each)));
    return EXIT.ok;
  }
  const rows = found.map((each) => [
    each.id,
    each.family,
    String(each.horizon),
    selectionWord(each.selection),
    each.policyClass,
    each.variants.join(", "),
  ]);
  const columns = ["environment", "family", "horizon", "selection", "policy class", "variants"];
  for (const line of table(
    columns.map((title) => ({ title, right: title === "horizon" })),
    rows,
  ))
    context.output.data(line);
  return EXIT.ok;
}

function environmentLines(environment: rollout.Environment): string[] {
  const { texts } = environment;
  return [
    `${environment.id}${environment.variant === "" ? "" : ` (variant ${environment.variant})`}, family ${environment.family}`,
    `class ${environment.policyClass} with act(self, obs); at most ${environment.horizon} steps of ${environment.stepSeconds} s; selected by ${selectionWord(environment.selection)}`,
    ...(environment.variants.length > 1 ? [`variants: ${environment.variants.join(", ")}`] : []),
    "",
    "# Observation",
    texts?.observation.trimEnd() ?? "",
    "",
    "# Implementation",
    texts?.implementation.trimEnd() ?? "",
    ...(texts?.rewards ?? []).flatMap((reward) => [
      "",
      `# Reward, ${enumWord(types.rewardKindToJSON(reward.kind), "REWARD_KIND")}${reward.kind === environment.defaultRewardKind ? " (shown by default)" : ""}`,
      reward.text.trimEnd(),
    ]),
  ];
}

function selectionWord(selection: types.Selection): string {
  return enumWord(types.selectionToJSON(selection), "SELECTION");
}
