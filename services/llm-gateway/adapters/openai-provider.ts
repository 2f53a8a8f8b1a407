/**
 * Any OpenAI-compatible endpoint, through the `openai` package.
 *
 * Retries are off there: the pipeline owns them. So are time limits: the call's signal is the only clock, for which the
 * dispatcher waits as long as a call may take (Node's own fetch gives up after 300 s without a byte).
 */
import { FleetError } from "@promptpo/service-kit";
import OpenAI from "openai";
import { Agent, fetch as undiciFetch } from "undici";
import { z } from "zod";
import { LONGEST_TIMEOUT_MS } from "../core/parse-call.ts";
import type { Clock, Provider, ProviderReply, ProviderRequest } from "../core/ports.ts";
import type { Finish } from "../core/recorded.ts";
import type { CountedTokens } from "../core/usage.ts";
import { type Asked, badAnswer, providerFailure, refusal } from "./provider-failure.ts";

/** Local endpoints ask for no key; the package wants one. */
const NO_KEY = "no-key-is-needed";
const CONNECT_TIMEOUT_MS = 15_000;

export interface OpenAiProvider extends Provider, AsyncDisposable {}

export interface OpenAiProviderOptions {
  /** Undefined: OpenAI's own. */
  readonly baseUrl: string | undefined;
  /** Undefined: the endpoint wants none. */
  readonly apiKey: string | undefined;
  readonly clock: Clock;
  /** Milliseconds without a byte after which a connection is given up; default a little over the longest call. */
  readonly idleMs?: number;
}

const usageShape = z
  .object({ prompt_tokens: z.int().min(0), completion_tokens: z.int().min(0) })
  .partial()
  .nullish();
const answerShape = z.object({
  model: z.string().optional(),
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  usage: usageShape.catch(undefined),
});
const chunkShape = z.object({
  model: z.string().optional(),
  choices: z.array(
    z.object({
      delta: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }).nullish(),
      finish_reason: z.string().nullish(),
    }),
  ),
  usage: usageShape.catch(undefined),
});

export function openAiProvider(options: OpenAiProviderOptions): OpenAiProvider {
  const idleMs = options.idleMs ?? LONGEST_TIMEOUT_MS + 60_000;
  const dispatcher = new Agent({
    headersTimeout: idleMs,
    bodyTimeout: idleMs,
    connect: { timeout: CONNECT_TIMEOUT_MS },
  });
  const client = new OpenAI({
    apiKey: options.apiKey ?? NO_KEY,
    baseURL: options.baseUrl ?? null,
    maxRetries: 0,
    timeout: idleMs,
    logLevel: "off",
    // The package documents this fetch; its types are those of the undici within Node, which lack a member or two.
    fetch: undiciFetch as unknown as typeof fetch,
    fetchOptions: { dispatcher },
  });
  const name = providerName(options.baseUrl);

  return {
    name,
    async ask(request) {
      const asked = { provider: name, model: request.model, nowMs: options.clock.now() };
      return request.onPiece === undefined ? askWhole(client, request, asked) : askStream(client, request, asked);
    },
    async [Symbol.asyncDispose]() {
      // Calls have ended or been aborted by now; what is still open belongs to nobody.
      await dispatcher.destroy();
    },
  };
}

/** `openai`, or the host of another endpoint. */
export function providerName(baseUrl: string | undefined): string {
  const host = baseUrl === undefined ? "api.openai.com" : new URL(baseUrl).host;
  return host === "api.openai.com" ? "openai" : host;
}

function bodyOf(request: ProviderRequest) {
  return { ...request.parameters, model: request.model, messages: request.messages.map((message) => ({ ...message })) };
}

async function askWhole(client: OpenAI, request: ProviderRequest, asked: Asked): Promise<ProviderReply> {
  let body: unknown;
  try {
    body = await client.chat.completions.create({ ...bodyOf(request), stream: false }, { signal: request.signal });
  } catch (error) {
    return request.signal.aborted ? aborted(request.signal) : providerFailure(error, asked);
  }
  const parsed = answerShape.safeParse(body);
  const choice = parsed.data?.choices[0];
  if (!parsed.success || choice === undefined) return badAnswer(asked, "it is not a chat completion");
  const { model, usage } = parsed.data;
  return judged(asked, {
    text: choice.message.content ?? "",
    refusal: choice.message.refusal ?? "",
    finish: choice.finish_reason ?? undefined,
    model: model ?? request.model,
    counted: countedFrom(usage),
  });
}

async function askStream(client: OpenAI, request: ProviderRequest, asked: Asked): Promise<ProviderReply> {
  const seen = { text: "", refusal: "", finish: undefined as string | undefined, model: request.model };
  let counted: CountedTokens = {};
  /** A stream that broke off is charged for what came. */
  const broken = (reply: ProviderReply): ProviderReply =>
    reply.kind === "failure" && seen.text !== "" ? { ...reply, partial: { text: seen.text, counted } } : reply;
  try {
    const stream = await client.chat.completions.create(
      { ...bodyOf(request), stream: true, stream_options: { include_usage: true } },
      { signal: request.signal },
    );
    for await (const part of stream) {
      const chunk = chunkShape.safeParse(part);
      if (!chunk.success) return broken(badAnswer(asked, "a piece of its stream is not a chat completion chunk"));
      const [choice] = chunk.data.choices;
      if (chunk.data.model !== undefined) seen.model = chunk.data.model;
      if (chunk.data.usage !== undefined && chunk.data.usage !== null) counted = countedFrom(chunk.data.usage);
      seen.refusal += choice?.delta?.refusal ?? "";
      seen.finish = choice?.finish_reason ?? seen.finish;
      const piece = choice?.delta?.content ?? "";
      seen.text += piece;
      if (piece !== "") request.onPiece?.(piece);
    }
  } catch (error) {
    return broken(request.signal.aborted ? aborted(request.signal) : providerFailure(error, asked));
  }
  // The package ends an aborted stream without an error.
  if (request.signal.aborted) return broken(aborted(request.signal));
  return broken(judged(asked, { ...seen, counted }));
}

interface Seen {
  readonly text: string;
  readonly refusal: string;
  readonly finish: string | undefined;
  readonly model: string;
  readonly counted: CountedTokens;
}

/** Whether what came is an answer. */
function judged(asked: Asked, seen: Seen): ProviderReply {
  const partial = { text: seen.text, counted: seen.counted };
  const bad = (what: string): ProviderReply => ({ ...badAnswer(asked, what), partial });
  if (seen.finish === undefined) {
    return bad(`it ended after ${seen.text.length} characters without a finish_reason: it was cut`);
  }
  const finish = finishFrom(seen.finish);
  if (finish === undefined)
    return bad(`finish_reason ${JSON.stringify(seen.finish.slice(0, 40))} is not one of an answer`);
  if (seen.text !== "") {
    return { kind: "answer", text: seen.text.toWellFormed(), model: seen.model, finish, counted: seen.counted };
  }
  if (seen.refusal !== "") return { ...refusal(asked, seen.refusal), partial };
  if (finish === "content_filter") return { ...refusal(asked, "its content filter withheld the answer"), partial };
  return bad(
    finish === "length"
      ? "max_tokens was used up before any text (by hidden reasoning?); raise it"
      : "its text is empty",
  );
}

function finishFrom(word: string): Finish | undefined {
  switch (word) {
    case "stop":
    case "eos": // llama.cpp and others that name the token
    case "end_turn":
      return "stop";
    case "length":
    case "max_tokens":
      return "length";
    case "content_filter":
      return "content_filter";
    default:
      return undefined;
  }
}

function countedFrom(usage: z.output<typeof usageShape>): CountedTokens {
  return { prompt: usage?.prompt_tokens, completion: usage?.completion_tokens };
}

/** The call was ended from our side; whether the model's work is paid nobody knows. */
function aborted(signal: AbortSignal): ProviderReply {
  const error =
    signal.reason instanceof FleetError ? signal.reason : new FleetError("CANCELLED", "the call was cancelled");
  return { kind: "failure", error, fate: "unknown", again: false };
}
