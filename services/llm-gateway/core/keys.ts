/**
 * The three digests of a call, each over canonical JSON (RFC 8785).
 *
 * They are kept apart on purpose: a recording outlives tenants, sample namespaces and the model's name; a cached answer
 * belongs to one tenant, model and sample; a request id stands for one body. A change of a form raises its version.
 */
import { type Json, sha256OfCanonical } from "@promptpo/contracts";
import type { Call, ChatMessage, Parameters } from "./call.ts";

export const CACHE_KEY_VERSION = 1;
export const RECORDING_VERSION = 1;

type Asked = Pick<Call, "tenant" | "model" | "messages" | "parameters" | "sample" | "place" | "runId">;

export function cacheKeyOf(call: Asked): string {
  return sha256OfCanonical({
    version: CACHE_KEY_VERSION,
    tenant: call.tenant,
    model: call.model,
    parameters: call.parameters,
    messages: messagesJson(call.messages),
    sample_namespace: call.sample.namespace,
    sample_index: call.sample.index,
  });
}

/** Neither model nor sample nor tenant: the place names the sample, and any model's answer may be replayed. */
export function recordingKeyOf(request: {
  readonly messages: readonly ChatMessage[];
  readonly parameters: Parameters;
  readonly place: string;
}): string {
  return sha256OfCanonical({
    version: RECORDING_VERSION,
    messages: messagesJson(request.messages),
    parameters: request.parameters,
    place: request.place,
  });
}

/** How the answer is fetched (cache use, timeout, tolerance, what to do about an unknown fate) is not part of what is asked. */
export function bodySha256Of(call: Asked): string {
  return sha256OfCanonical({
    model: call.model,
    messages: messagesJson(call.messages),
    parameters: call.parameters,
    sample_namespace: call.sample.namespace,
    sample_index: call.sample.index,
    place: call.place,
    run_id: call.runId,
  });
}

export function messagesSha256Of(messages: readonly ChatMessage[]): string {
  return sha256OfCanonical(messagesJson(messages));
}

function messagesJson(messages: readonly ChatMessage[]): Json {
  return messages.map(({ role, content }) => ({ role, content }));
}
