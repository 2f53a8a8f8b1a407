/** `Complete`: one answer. */
import type { llm } from "@promptpo/contracts";
import type { Handler } from "@promptpo/service-kit";
import { type CallDefaults, parseCall } from "../core/parse-call.ts";
import type { Gateway } from "../core/pipeline/gateway.ts";

export function complete(gateway: Gateway, defaults: CallDefaults): Handler<llm.LlmGatewayService["complete"]> {
  return async (request, context) => ({
    completion: await gateway.complete(parseCall(request, context.tenant, defaults), context),
  });
}
