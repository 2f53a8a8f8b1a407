/**
 * Errors of calls with a request id, in words that say what to do next.
 */
import { FleetError } from "@promptpo/service-kit/errors.ts";
import type { Call } from "./call.ts";

export function requestIdReused(call: Call): FleetError {
  return new FleetError(
    "REQUEST_ID_REUSED",
    `the request id ${call.requestId} stands for another request (model, messages, sampling, sample, place or run differ); take a new id`,
    { metadata: { request_id: call.requestId } },
  );
}

export function fateUnknown(call: Call): FleetError {
  return new FleetError(
    "CALL_FATE_UNKNOWN",
    `the call ${call.requestId} was sent before and it is unknown whether it was answered; ask with on_unknown RESEND to risk paying twice`,
    { metadata: { request_id: call.requestId } },
  );
}

export function answerTooLate(call: Call): FleetError {
  return new FleetError(
    "DEADLINE_EXCEEDED",
    `${call.model} did not answer within ${Math.round(call.timeoutMs / 1000)} s; give the call more time (timeout, an hour at most) or raise PROMPTPO_MODEL_TIMEOUT_MS`,
    { metadata: { model: call.model, place: call.place } },
  );
}
