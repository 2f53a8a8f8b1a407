/** `CancelCompletion`: stops a call in flight wherever it runs, and says in which state it ended. */
import type { llm } from "@promptpo/contracts";
import type { Handler } from "@promptpo/service-kit";
import type { Gateway } from "../core/pipeline/gateway.ts";
import { callIdFrom, callStates } from "./call-states.ts";

export function cancelCompletion(gateway: Gateway): Handler<llm.LlmGatewayService["cancelCompletion"]> {
  return async ({ requestId }, { tenant, signal }) => ({
    state: callStates[await gateway.cancel(callIdFrom(tenant, requestId), signal)],
  });
}
