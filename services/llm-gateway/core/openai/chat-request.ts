/**
 * The OpenAI door's request, as the gateway's own: a chat completion's body and headers become `CompleteRequest`s. Pure.
 *
 * What OpenAI's API has no word for comes in headers: `idempotency-key` (request id), `x-promptpo-sample-index`,
 * `-sample-namespace`, `-cache` (no-cache, refresh, only-if-cached), `-place`, `-run`. It refuses what the gateway can not
 * pass through whole: tools, functions, audio, parts that are no text. Unknown parameters are passed on as they are.
 */
import { llm } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import { z } from "zod";

const CHOICES_MOST = 128;

const content = z.union([
  z.string(),
  z
    .array(z.object({ type: z.literal("text"), text: z.string() }), "only parts of type text are taken")
    .transform((parts) => parts.map(({ text }) => text).join("")),
]);
const number = z.number().nullish();
const integer = z.int().nullish();

const shape = z.looseObject({
  model: z.string(),
  messages: z.array(z.object({ role: z.enum(["system", "developer", "user", "assistant"]), content })),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.int().min(1).max(CHOICES_MOST).nullish(),
  temperature: number,
  top_p: number,
  max_tokens: integer,
  seed: integer,
  stop: z.union([z.string().transform((text) => [text]), z.array(z.string())]).nullish(),
  presence_penalty: number,
  frequency_penalty: number,
});

/** Would change the answer's shape, or belong to OpenAI's own storage. */
const NOT_OFFERED = ["tools", "tool_choice", "functions", "function_call", "modalities", "audio", "store", "logprobs"];
const OWN = new Set(Object.keys(shape.shape));

const roles = {
  system: llm.Message_Role.ROLE_SYSTEM,
  developer: llm.Message_Role.ROLE_SYSTEM,
  user: llm.Message_Role.ROLE_USER,
  assistant: llm.Message_Role.ROLE_ASSISTANT,
} as const;

const cacheModes: ReadonlyMap<string, llm.CacheMode> = new Map([
  ["", llm.CacheMode.CACHE_MODE_USE],
  ["no-cache", llm.CacheMode.CACHE_MODE_NO_CACHE],
  ["refresh", llm.CacheMode.CACHE_MODE_REFRESH],
  ["only-if-cached", llm.CacheMode.CACHE_MODE_ONLY_IF_CACHED],
]);

export interface ChatRequest {
  /** One a choice, in order. */
  readonly requests: readonly llm.CompleteRequest[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** Throws INVALID_ARGUMENT. `header` gives a header's value, empty when there is none. */
export function parseChatRequest(body: unknown, header: (name: string) => string): ChatRequest {
  const parsed = shape.safeParse(body);
  if (!parsed.success) {
    const violations = parsed.error.issues.map(({ path, message }) => ({
      field: path.map(String).join("."),
      description: message,
    }));
    const [first] = violations;
    throw new FleetError("INVALID_ARGUMENT", `${first?.field || "the body"}: ${first?.description}`, { violations });
  }
  const { data } = parsed;
  const unwanted = NOT_OFFERED.find((name) => data[name] !== undefined && data[name] !== null && data[name] !== false);
  if (unwanted !== undefined) refuse(unwanted, "is not offered: this gateway passes on text in, text out");
  const choices = data.n ?? 1;
  if (choices > 1 && data.stream === true) refuse("n", "must be 1 in a stream; ask for each sample by itself");

  const index = indexFrom(header("x-promptpo-sample-index"));
  const cacheMode = cacheModes.get(header("x-promptpo-cache"));
  if (cacheMode === undefined)
    refuse("x-promptpo-cache", `must be one of ${[...cacheModes.keys()].slice(1).join(", ")}`);
  const extra = Object.fromEntries(Object.entries(data).filter(([name, value]) => !OWN.has(name) && value !== null));
  const base = llm.CompleteRequest.fromPartial({
    model: data.model,
    messages: data.messages.map(({ role, content }) => ({ role: roles[role], content })),
    sampling: {
      ...given("temperature", data.temperature),
      ...given("topP", data.top_p),
      ...given("maxTokens", big(data.max_tokens)),
      ...given("seed", big(data.seed)),
      stop: data.stop ?? [],
      ...given("presencePenalty", data.presence_penalty),
      ...given("frequencyPenalty", data.frequency_penalty),
      ...(Object.keys(extra).length > 0 ? { extra } : {}),
    },
    cacheMode: cacheMode ?? llm.CacheMode.CACHE_MODE_USE,
    place: header("x-promptpo-place"),
    runId: header("x-promptpo-run"),
  });
  const requestId = header("idempotency-key");
  const namespace = header("x-promptpo-sample-namespace");
  return {
    requests: Array.from({ length: choices }, (_, at) => ({
      ...base,
      requestId: requestId === "" || choices === 1 ? requestId : `${requestId}/${at}`,
      sample: { namespace, index: index + BigInt(at) },
    })),
    stream: data.stream === true,
    includeUsage: data.stream_options?.include_usage === true,
  };
}

function indexFrom(text: string): bigint {
  if (!/^\d{0,15}$/.test(text)) refuse("x-promptpo-sample-index", "must be a whole number from 0");
  return BigInt(text === "" ? 0 : text);
}

function big(value: number | null | undefined): bigint | undefined {
  return value === null || value === undefined ? undefined : BigInt(value);
}

function given<K extends string, V>(name: K, value: V | null | undefined): { [key in K]?: V } {
  const part: { [key in K]?: V } = {};
  if (value !== null && value !== undefined) part[name] = value;
  return part;
}

function refuse(field: string, description: string): never {
  throw new FleetError("INVALID_ARGUMENT", `${field}: ${description}`, { violations: [{ field, description }] });
}
