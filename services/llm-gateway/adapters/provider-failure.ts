/**
 * What went wrong at a provider, as a reply of the provider port: a reason for the caller, what is known of the request's
 * fate, and whether it may be sent again.
 *
 * Owns the reading of the openai package's errors. Provider texts are shortened and cleaned of secrets; headers and bodies
 * of errors are never passed on.
 */
import { FleetError, type Reason, withoutSecrets } from "@promptpo/service-kit";
import { APIConnectionError, APIError } from "openai";
import type { Fate } from "../core/outcome.ts";
import type { ProviderReply } from "../core/ports.ts";
import { retryAfterMs } from "../core/retry.ts";

type Failure = Extract<ProviderReply, { kind: "failure" }>;

/** The connection never stood: nothing was sent. */
const NOT_CONNECTED = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_HAS_EXPIRED",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);
/** Somebody between us and the model gave up waiting: the model may have worked. */
const GAVE_UP_WAITING = new Set([408, 504, 524]);
const CHARACTERS_MOST = 300;

export interface Asked {
  readonly provider: string;
  readonly model: string;
  readonly nowMs: number;
}

export function providerFailure(error: unknown, asked: Asked): Failure {
  if (error instanceof APIConnectionError) return connectionFailure(error, asked);
  if (error instanceof APIError) return answeredFailure(error, asked);
  if (error instanceof SyntaxError) return badAnswer(asked, "its answer is not the JSON that it should be");
  // undici throws a TypeError ("terminated") when a body breaks off.
  return connectionFailure(error, asked);
}

/** An answer came and is no completion. It may well be paid for, so it is not asked for again by itself. */
export function badAnswer(asked: Asked, what: string): Failure {
  return {
    kind: "failure",
    error: named("PROVIDER_BAD_ANSWER", asked, `${asked.provider} gave no usable answer for ${asked.model}: ${what}`),
    fate: "settled",
    again: false,
  };
}

/** The provider's own refusal within an answer. */
export function refusal(asked: Asked, what: string): Failure {
  return {
    kind: "failure",
    error: named("PROVIDER_REFUSED", asked, `${asked.provider} refused the call of ${asked.model}: ${cleaned(what)}`),
    fate: "settled",
    again: false,
  };
}

function connectionFailure(error: unknown, asked: Asked): Failure {
  const codes = codesOf(error);
  const unsent = codes.some((code) => NOT_CONNECTED.has(code));
  const how = codes.length > 0 ? ` (${codes.join(", ")})` : "";
  return {
    kind: "failure",
    error: named(
      "PROVIDER_UNAVAILABLE",
      asked,
      unsent
        ? `${asked.provider} can not be reached for ${asked.model}${how}; check OPENAI_BASE_URL and the network`
        : `the connection to ${asked.provider} broke off before ${asked.model} had answered${how}`,
    ),
    fate: unsent ? "unsent" : "unknown",
    again: true,
  };
}

function answeredFailure(error: APIError, asked: Asked): Failure {
  const status: number | undefined = error.status;
  const said = cleaned(error.message.replace(/^\d{3} /, ""));
  const failed = (reason: Reason, message: string, fate: Fate, again: boolean, waitMs?: number): Failure => ({
    kind: "failure",
    error: named(reason, asked, message, waitMs),
    fate,
    again,
    retryAfterMs: waitMs,
  });
  if (status === undefined) {
    // An error event within a stream.
    return failed("PROVIDER_UNAVAILABLE", `${asked.provider} broke off for ${asked.model}: ${said}`, "settled", true);
  }
  const headers: Headers | undefined = error.headers;
  const waitMs = retryAfterMs((name) => headers?.get(name), asked.nowMs);
  const where = `${asked.provider} (HTTP ${status}) for ${asked.model}: ${said}`;
  if (error.code === "context_length_exceeded" || status === 413) {
    return failed("PROMPT_TOO_LARGE", `the prompt does not fit. ${where}`, "settled", false);
  }
  if (status === 429 && error.code !== "insufficient_quota") {
    return failed("PROVIDER_RATE_LIMITED", `asked to slow down by ${where}`, "settled", true, waitMs);
  }
  if (status === 408 || status === 409 || status >= 500) {
    const fate = GAVE_UP_WAITING.has(status) ? "unknown" : "settled";
    return failed("PROVIDER_UNAVAILABLE", `no answer from ${where}`, fate, true, waitMs);
  }
  if (status >= 400) {
    const next =
      status === 401 || status === 403
        ? "; check OPENAI_API_KEY"
        : status === 404
          ? "; check the model's name and OPENAI_BASE_URL"
          : "";
    return failed("PROVIDER_REFUSED", `refused by ${where}${next}`, "settled", false);
  }
  return badAnswer(asked, `HTTP ${status}`);
}

function named(reason: Reason, asked: Asked, message: string, retryAfterMs?: number): FleetError {
  return new FleetError(reason, message, {
    metadata: { provider: asked.provider, model: asked.model },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** Error codes of the error and its causes, without repetition. */
function codesOf(error: unknown): string[] {
  const codes = new Set<string>();
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if ("code" in at && typeof at.code === "string") codes.add(at.code);
    if (at instanceof AggregateError) for (const inner of at.errors) for (const code of codesOf(inner)) codes.add(code);
  }
  return [...codes];
}

function cleaned(text: string): string {
  const line = withoutSecrets(text)
    .replace(/[\p{Cc}\s]+/gu, " ")
    .trim();
  return line.length <= CHARACTERS_MOST ? line : `${line.slice(0, CHARACTERS_MOST - 1).toWellFormed()}…`;
}
