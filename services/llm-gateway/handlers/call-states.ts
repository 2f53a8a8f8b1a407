/** States of the answer log as the contract names them. */
import { llm } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import type { CallId, RowState } from "../core/ports.ts";

export const callStates = {
  reserved: llm.CallState.CALL_STATE_RESERVED,
  sent: llm.CallState.CALL_STATE_SENT,
  stored: llm.CallState.CALL_STATE_STORED,
  failed: llm.CallState.CALL_STATE_FAILED,
  unknown: llm.CallState.CALL_STATE_UNKNOWN,
} as const satisfies Record<RowState, llm.CallState>;

export function callIdFrom(tenant: string, requestId: string): CallId {
  if (requestId === "") throw new FleetError("INVALID_ARGUMENT", "request_id: is empty; name the call");
  return { tenant, requestId };
}
