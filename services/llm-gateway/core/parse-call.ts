/**
 * The door: a `CompleteRequest` becomes a `Call`, or INVALID_ARGUMENT with every field that is wrong.
 *
 * Parameters keep only what was set, under the providers' names. It refuses what can not be said exactly in JSON
 * (integers beyond 2^53, NaN) and extra parameters that would contradict a field or change the shape of the answer.
 */
import { durationToMs, type Json, llm } from "@promptpo/contracts";
import { FleetError, type Violation } from "@promptpo/service-kit/errors.ts";
import type { CacheUse, Call, ChatMessage, Parameters, Role, Tolerance } from "./call.ts";
import { bodySha256Of, cacheKeyOf, recordingKeyOf } from "./keys.ts";

/** An hour: the longest that a model may take. Dispatchers and locks are made for it. */
export const LONGEST_TIMEOUT_MS = 3_600_000;

export interface CallDefaults {
  readonly timeoutMs: number;
  readonly tolerance: Tolerance;
  /** Bytes of all messages together, at most. */
  readonly promptBytesMost: number;
}

/** Path of a command in a run. Parts begin with a letter or digit, so a place is a safe file name once `/` is replaced. */
const PLACE = /^[A-Za-z0-9][A-Za-z0-9.-]*(?:\/[A-Za-z0-9][A-Za-z0-9.-]*){0,7}$/;
const PLACE_CHARACTERS_MOST = 160;
/** Ids and names end up in SQL and logs: one line, no control characters. */
const NAME = /^[^\p{Cc}\p{Zl}\p{Zp}]*$/u;
const STOPS_MOST = 16;

/** Set by their own fields or by the gateway; as extra parameters they would say a second thing. */
const RESERVED = new Set([
  "model",
  "messages",
  "stream",
  "stream_options",
  "n",
  "temperature",
  "top_p",
  "max_tokens",
  "seed",
  "stop",
  "presence_penalty",
  "frequency_penalty",
]);

const roles: ReadonlyMap<llm.Message_Role, Role> = new Map([
  [llm.Message_Role.ROLE_SYSTEM, "system"],
  [llm.Message_Role.ROLE_USER, "user"],
  [llm.Message_Role.ROLE_ASSISTANT, "assistant"],
]);
const cacheUses: ReadonlyMap<llm.CacheMode, CacheUse> = new Map([
  [llm.CacheMode.CACHE_MODE_UNSPECIFIED, "use"],
  [llm.CacheMode.CACHE_MODE_USE, "use"],
  [llm.CacheMode.CACHE_MODE_NO_CACHE, "no-cache"],
  [llm.CacheMode.CACHE_MODE_REFRESH, "refresh"],
  [llm.CacheMode.CACHE_MODE_ONLY_IF_CACHED, "only-if-cached"],
]);
const onUnknowns: ReadonlyMap<llm.OnUnknown, Call["onUnknown"]> = new Map([
  [llm.OnUnknown.ON_UNKNOWN_UNSPECIFIED, "resend"],
  [llm.OnUnknown.ON_UNKNOWN_RESEND, "resend"],
  [llm.OnUnknown.ON_UNKNOWN_HOLD, "hold"],
]);
const tolerances: ReadonlyMap<llm.ReplayTolerance, Tolerance> = new Map([
  [llm.ReplayTolerance.REPLAY_TOLERANCE_EXACT, "exact"],
  [llm.ReplayTolerance.REPLAY_TOLERANCE_MASKED_NUMBERS, "masked"],
  [llm.ReplayTolerance.REPLAY_TOLERANCE_PLACE, "place"],
]);

export function parseCall(request: llm.CompleteRequest, tenant: string, defaults: CallDefaults): Call {
  const violations: Violation[] = [];
  const wrong = (field: string, description: string): void => {
    violations.push({ field, description });
  };
  const name = (field: string, text: string, most: number): string => {
    if (text.length > most) wrong(field, `has ${text.length} characters, ${most} at most`);
    if (!NAME.test(text)) wrong(field, "holds a control character or a line break");
    return text;
  };
  const known = <K, V>(field: string, values: ReadonlyMap<K, V>, value: K, fallback: V): V => {
    const found = values.get(value);
    if (found === undefined) wrong(field, `${String(value)} is not a value of the enum`);
    return found ?? fallback;
  };

  if (request.model === "") wrong("model", "is empty; name the model to ask (ListModels lists those configured)");
  if (request.place !== "" && (!PLACE.test(request.place) || request.place.length > PLACE_CHARACTERS_MOST)) {
    wrong("place", "must be parts of A-Z, a-z, 0-9, `.` and `-` joined by `/`, such as r1/c03/policy/0");
  }
  const timeoutMs = request.timeout === undefined ? defaults.timeoutMs : durationToMs(request.timeout);
  if (!(timeoutMs >= 1 && timeoutMs <= LONGEST_TIMEOUT_MS)) wrong("timeout", "must be over 0 and at most an hour");

  const asked = {
    tenant,
    model: name("model", request.model, 200),
    messages: parseMessages(request.messages, wrong),
    parameters: parseParameters(request.sampling, wrong),
    sample: parseSample(request.sample, wrong),
    place: request.place,
    runId: name("run_id", request.runId, 200),
  };
  name("sample.namespace", asked.sample.namespace, 200);
  const how = {
    cacheUse: known("cache_mode", cacheUses, request.cacheMode, "use" as const),
    requestId: name("request_id", request.requestId, 512),
    onUnknown: known("on_unknown", onUnknowns, request.onUnknown, "resend" as const),
    timeoutMs,
    tolerance:
      request.replayTolerance === llm.ReplayTolerance.REPLAY_TOLERANCE_UNSPECIFIED
        ? defaults.tolerance
        : known("replay_tolerance", tolerances, request.replayTolerance, defaults.tolerance),
  };
  if (violations.length > 0) {
    const [first] = violations;
    const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
    throw new FleetError("INVALID_ARGUMENT", `${first?.field}: ${first?.description}${more}`, { violations });
  }
  const promptBytes = asked.messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
  if (promptBytes > defaults.promptBytesMost) {
    throw new FleetError(
      "PROMPT_TOO_LARGE",
      `the messages have ${promptBytes} bytes, the gateway takes ${defaults.promptBytesMost}; shorten them or raise PROMPTPO_PROMPT_BYTES`,
    );
  }
  return {
    ...asked,
    ...how,
    cacheKey: cacheKeyOf(asked),
    recordingKey: recordingKeyOf(asked),
    bodySha256: bodySha256Of(asked),
  };
}

type Wrong = (field: string, description: string) => void;

function parseMessages(messages: readonly llm.Message[], wrong: Wrong): ChatMessage[] {
  if (messages.length === 0) wrong("messages", "is empty; at least one message is needed");
  return messages.map(({ role, content }, at) => {
    const known = roles.get(role);
    if (known === undefined) wrong(`messages[${at}].role`, "must be SYSTEM, USER or ASSISTANT");
    return { role: known ?? "user", content };
  });
}

function parseSample(sample: llm.Sample | undefined, wrong: Wrong): Call["sample"] {
  const index = sample === undefined ? 0 : exactInteger(sample.index);
  if (index === undefined || index < 0) wrong("sample.index", "must be from 0 to 2^53-1");
  return { namespace: sample?.namespace ?? "", index: index ?? 0 };
}

function parseParameters(sampling: llm.Sampling | undefined, wrong: Wrong): Parameters {
  const parameters: { [name: string]: Json } = {};
  if (sampling === undefined) return parameters;
  const number = (name: string, value: number | undefined, min: number, max: number): void => {
    if (value === undefined) return;
    // Written so that NaN fails.
    if (!(value >= min && value <= max)) wrong(`sampling.${name}`, `must be from ${min} to ${max}`);
    else parameters[name] = value;
  };
  const integer = (name: string, value: bigint | undefined, min: number): void => {
    if (value === undefined) return;
    const exact = exactInteger(value);
    if (exact === undefined || exact < min) wrong(`sampling.${name}`, `must be from ${min} to 2^53-1`);
    else parameters[name] = exact;
  };
  number("temperature", sampling.temperature, 0, 100);
  number("top_p", sampling.topP, 0, 1);
  integer("max_tokens", sampling.maxTokens, 1);
  integer("seed", sampling.seed, -Number.MAX_SAFE_INTEGER);
  number("presence_penalty", sampling.presencePenalty, -100, 100);
  number("frequency_penalty", sampling.frequencyPenalty, -100, 100);
  if (sampling.stop.length > STOPS_MOST)
    wrong("sampling.stop", `has ${sampling.stop.length} entries, ${STOPS_MOST} at most`);
  if (sampling.stop.some((text) => text === "")) wrong("sampling.stop", "holds an empty sequence");
  if (sampling.stop.length > 0) parameters["stop"] = sampling.stop;
  for (const [key, value] of Object.entries(sampling.extra ?? {})) {
    const json = asJson(value);
    if (RESERVED.has(key)) wrong(`sampling.extra.${key}`, "has a field of its own or belongs to the gateway");
    else if (json === undefined) wrong(`sampling.extra.${key}`, "is not a JSON value");
    else parameters[key] = json;
  }
  return parameters;
}

function exactInteger(value: bigint): number | undefined {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** The value as JSON; undefined for what JSON has no word for (NaN, infinities, half a surrogate pair). */
function asJson(value: unknown): Json | undefined {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return value.isWellFormed() ? value : undefined;
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (Array.isArray(value)) {
    const items = value.map(asJson);
    return items.every((item) => item !== undefined) ? items : undefined;
  }
  if (typeof value !== "object") return undefined;
  const result: { [key: string]: Json } = {};
  for (const [key, part] of Object.entries(value)) {
    const json = asJson(part);
    if (json === undefined) return undefined;
    result[key] = json;
  }
  return result;
}
