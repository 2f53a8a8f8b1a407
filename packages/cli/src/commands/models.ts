// `promptpo models`: what can be asked for, with its price where one is known.
import { llm, toProtoJson } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import type { CommandContext } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { openSession, type Session } from "../session.ts";
import { table } from "../table.ts";

export async function models(context: CommandContext): Promise<ExitCode> {
  await using session = await openSession(context);
  const found = await listModels(session, context.interrupted);
  if (context.json) {
    for (const model of found) context.output.data(JSON.stringify(toProtoJson(llm.Model, model)));
    return EXIT.ok;
  }
  const price = (microUsd: bigint | undefined) => (microUsd === undefined ? "unknown" : `$${Number(microUsd) / 1e6}`);
  const rows = found.map((model) => [
    model.name,
    model.provider,
    price(model.price?.promptMicroUsdPerMillion),
    price(model.price?.completionMicroUsdPerMillion),
  ]);
  const columns = ["model", "provider", "prompt tokens, a million", "answer tokens, a million"];
  for (const line of table(
    columns.map((title) => ({ title })),
    rows,
  ))
    context.output.data(line);
  if (found.length === 0)
    context.output.note("no model: set OPENAI_API_KEY (and OPENAI_BASE_URL), or PROMPTPO_MODELS to name some");
  return EXIT.ok;
}

/** None where the gateway has neither a provider nor a recording. */
export async function listModels(session: Session, signal: AbortSignal): Promise<llm.Model[]> {
  const found: llm.Model[] = [];
  try {
    for (let pageToken = ""; ; ) {
      const page = await session.gateway.listModels(llm.ListModelsRequest.fromPartial({ pageToken }), { signal });
      found.push(...page.models);
      pageToken = page.nextPageToken;
      if (pageToken === "") return found;
    }
  } catch (error) {
    if (error instanceof FleetError && error.reason === "NO_PROVIDER") return [];
    throw error;
  }
}
