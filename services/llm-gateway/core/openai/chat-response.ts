/**
 * The gateway's answers in OpenAI's words: chat completions, chunks, models, errors. Pure.
 *
 * What OpenAI's API has no word for is under `promptpo` beside it: clients of OpenAI ignore it.
 */
import { llm } from "@promptpo/contracts";
import { type FleetError, REASONS } from "@promptpo/service-kit/errors.ts";
import { finishOf } from "../completion.ts";

export function chatCompletion(completions: readonly llm.Completion[]): object {
  return {
    ...headOf(completions[0], "chat.completion"),
    choices: completions.map((completion, index) => ({
      index,
      message: { role: "assistant", content: completion.text, refusal: null },
      logprobs: null,
      finish_reason: finishOf(completion) ?? null,
    })),
    usage: usageOf(completions),
    promptpo: { choices: completions.map(originOf) },
  };
}

/** One piece of a streamed answer; the first names the speaker. */
export function pieceChunk(id: string, model: string, nowMs: number, text: string, first: boolean): object {
  return {
    ...chunkHead(id, model, nowMs),
    choices: [
      { index: 0, delta: first ? { role: "assistant", content: text } : { content: text }, finish_reason: null },
    ],
  };
}

/** The end of a stream: the finish reason, then the usage where it is asked for. */
export function endChunks(id: string, nowMs: number, completion: llm.Completion, includeUsage: boolean): object[] {
  const head = chunkHead(id, completion.model, nowMs);
  const end = {
    ...head,
    choices: [{ index: 0, delta: {}, finish_reason: finishOf(completion) ?? null }],
    promptpo: { choices: [originOf(completion)] },
  };
  return includeUsage ? [end, { ...head, choices: [], usage: usageOf([completion]) }] : [end];
}

export function modelList(models: readonly llm.Model[]): object {
  return { object: "list", data: models.map(modelEntry) };
}

export function modelEntry({ name, provider }: llm.Model): object {
  return { id: name, object: "model", created: 0, owned_by: provider };
}

export interface HttpError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
}

export function httpError(error: FleetError): HttpError {
  const wait = error.retryAfterMs;
  return {
    status: statusOf(error),
    headers: {
      // OpenAI's clients obey it: they retry what can succeed and nothing else.
      "x-should-retry": String(REASONS[error.reason].retryable),
      ...(wait === undefined
        ? {}
        : { "retry-after-ms": String(Math.ceil(wait)), "retry-after": String(Math.ceil(wait / 1000)) }),
    },
    body: {
      error: {
        message: error.message,
        type: error.reason === "INTERNAL" ? "server_error" : "invalid_request_error",
        code: error.reason.toLowerCase(),
        param: error.violations?.[0]?.field ?? null,
      },
    },
  };
}

/** HTTP status by reason, where it is not what the gRPC code says. */
const byReason: Partial<Record<FleetError["reason"], number>> = {
  PROMPT_TOO_LARGE: 413,
  REQUEST_ID_REUSED: 409,
  PROVIDER_BAD_ANSWER: 502,
};
const byCode = new Map<number, number>([
  [1, 499],
  [3, 400],
  [4, 504],
  [5, 404],
  [6, 409],
  [7, 403],
  [8, 429],
  [9, 400],
  [10, 409],
  [12, 501],
  [14, 503],
  [16, 401],
]);

function statusOf({ reason, code }: FleetError): number {
  return byReason[reason] ?? byCode.get(code) ?? 500;
}

function headOf(completion: llm.Completion | undefined, object: string): object {
  return {
    id: `chatcmpl-${completion?.cacheKey.slice(0, 24) ?? ""}`,
    object,
    created: Number(completion?.createTime?.seconds ?? 0n),
    model: completion?.model ?? "",
  };
}

function chunkHead(id: string, model: string, nowMs: number): object {
  return { id, object: "chat.completion.chunk", created: Math.floor(nowMs / 1000), model };
}

function usageOf(completions: readonly llm.Completion[]): object {
  // The prompt is one; each choice has its own answer.
  const prompt = Number(completions[0]?.usage?.promptTokens ?? 0n);
  const answers = completions.reduce((sum, { usage }) => sum + Number(usage?.completionTokens ?? 0n), 0);
  return { prompt_tokens: prompt, completion_tokens: answers, total_tokens: prompt + answers };
}

function originOf(completion: llm.Completion): object {
  const { source, provider, usage, cost, recorded } = completion;
  return {
    source: llm.completion_SourceToJSON(source),
    provider,
    usage_estimated: usage?.estimated ?? false,
    cost_micro_usd: cost?.known === true ? Number(cost.microUsd) : null,
    ...(recorded === undefined ? {} : { recorded: llm.RecordedAnswer.toJSON(recorded) }),
  };
}
