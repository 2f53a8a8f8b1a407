/** `GetCompletion`: a call of the answer log and, when it is stored, its answer. */
import type { llm } from "@promptpo/contracts";
import type { Handler } from "@promptpo/service-kit";
import type { Gateway } from "../core/pipeline/gateway.ts";
import { callIdFrom, callStates } from "./call-states.ts";

export function getCompletion(gateway: Gateway): Handler<llm.LlmGatewayService["getCompletion"]> {
  return async ({ requestId }, { tenant }) => {
    const { state, completion, errorReason } = await gateway.find(callIdFrom(tenant, requestId));
    return { state: callStates[state], completion, errorReason };
  };
}
