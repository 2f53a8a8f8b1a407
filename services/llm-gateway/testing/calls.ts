/** Calls for tests: a plain request with what a test wants to say of it. */
import { llm } from "@promptpo/contracts";
import type { Call } from "../core/call.ts";
import { parseCall } from "../core/parse-call.ts";

type Fields = Parameters<typeof llm.CompleteRequest.fromPartial>[0];

export function requestFor(prompt: string, fields: Fields = {}): llm.CompleteRequest {
  return llm.CompleteRequest.fromPartial({
    model: "test-model",
    messages: [{ role: llm.Message_Role.ROLE_USER, content: prompt }],
    ...fields,
  });
}

export function callFor(prompt: string, fields: Fields = {}, tenant = "default"): Call {
  return parseCall(requestFor(prompt, fields), tenant, {
    timeoutMs: 60_000,
    tolerance: "exact",
    promptBytesMost: 8 * 1024 * 1024,
  });
}
