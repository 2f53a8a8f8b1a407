/**
 * The one table of reasons: every error that leaves a service names one of these in `ErrorInfo.reason`.
 *
 * Owns name, gRPC code, whether the same request may be sent again, and one sentence for people. It refuses free text
 * reasons: a new situation gets a new row. `reasons.json` is written from here and compared with the Python table.
 */
import { status } from "@grpc/grpc-js";

/** One row of the table. */
export interface ReasonRow {
  /** The gRPC status code that a call ends with. */
  readonly code: status;
  /** True when the same request may be sent again later and can succeed without anybody changing anything. */
  readonly retryable: boolean;
  /** One sentence: what happened, in words of the caller. */
  readonly about: string;
}

/** `google.rpc.ErrorInfo.domain` of every error of this project. */
export const ERROR_DOMAIN = "promptpo";

export const REASONS = {
  // The request itself.
  INVALID_ARGUMENT: {
    code: status.INVALID_ARGUMENT,
    retryable: false,
    about: "A field of the request has a value that is never allowed.",
  },
  MALFORMED_MESSAGE: {
    code: status.INVALID_ARGUMENT,
    retryable: false,
    about: "The bytes of the request are not the message that the method takes.",
  },
  MESSAGE_TOO_LARGE: {
    code: status.RESOURCE_EXHAUSTED,
    retryable: false,
    about: "A message is larger than the two sides agreed to carry.",
  },
  INVALID_SEEDS: {
    code: status.INVALID_ARGUMENT,
    retryable: false,
    about: "The list of seeds is empty, too long, repeats a seed, or holds one outside 0..2^32-1.",
  },
  INVALID_PAGE: {
    code: status.INVALID_ARGUMENT,
    retryable: false,
    about: "The page token, page size, filter or order is not one that this list understands.",
  },
  INVALID_CURSOR: {
    code: status.INVALID_ARGUMENT,
    retryable: false,
    about: "The sequence number to go on from lies beyond the end of the log.",
  },
  POLICY_TOO_LARGE: {
    code: status.INVALID_ARGUMENT,
    retryable: false,
    about: "The policy's or program's source is longer than the limit.",
  },
  PROMPT_TOO_LARGE: {
    code: status.INVALID_ARGUMENT,
    retryable: false,
    about: "The messages do not fit into the model's context or the gateway's limit.",
  },
  REQUEST_ID_REUSED: {
    code: status.ALREADY_EXISTS,
    retryable: false,
    about: "The request id was used before for a different request.",
  },
  REQUEST_IN_PROGRESS: {
    code: status.ABORTED,
    retryable: true,
    about: "A call with the same request id is still running; ask again for its answer.",
  },

  // Things that are not there.
  NOT_FOUND: {
    code: status.NOT_FOUND,
    retryable: false,
    about: "Nothing of that name exists, or it belongs to another tenant.",
  },
  UNKNOWN_ENVIRONMENT: { code: status.NOT_FOUND, retryable: false, about: "No environment of that id is offered." },
  UNKNOWN_VARIANT: {
    code: status.NOT_FOUND,
    retryable: false,
    about: "The environment has no prompt variant of that name.",
  },
  UNKNOWN_MODEL: { code: status.NOT_FOUND, retryable: false, about: "No provider offers a model of that name." },
  UNKNOWN_COMPLETION: { code: status.NOT_FOUND, retryable: false, about: "No completion of that request id is kept." },
  UNKNOWN_RUN: { code: status.NOT_FOUND, retryable: false, about: "No run of that name exists." },
  UNKNOWN_ROUND: { code: status.NOT_FOUND, retryable: false, about: "The run has no round of that number." },
  UNKNOWN_CANDIDATE: { code: status.NOT_FOUND, retryable: false, about: "The run has no candidate of that name." },
  UNKNOWN_EVALUATION: { code: status.NOT_FOUND, retryable: false, about: "No evaluation of that name is kept." },
  UNKNOWN_SESSION: {
    code: status.NOT_FOUND,
    retryable: false,
    about: "No environment session of that name is open; its lease may have run out.",
  },
  ARTIFACT_NOT_FOUND: {
    code: status.NOT_FOUND,
    retryable: false,
    about: "No artifact with that content hash is stored.",
  },
  ARTIFACT_DAMAGED: {
    code: status.DATA_LOSS,
    retryable: false,
    about: "The stored artifact's bytes do not have the hash they are stored under.",
  },
  ALREADY_EXISTS: { code: status.ALREADY_EXISTS, retryable: false, about: "A resource of that name exists already." },

  // States that do not allow it.
  PRECONDITION_FAILED: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    about: "The system is not in the state that the request needs.",
  },
  RUN_NOT_ACTIVE: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    about: "The run has ended, so it can not be paused, resumed or cancelled.",
  },
  RUN_STILL_ACTIVE: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    about: "The run has not ended yet; cancel it or wait.",
  },
  RUN_NOT_PAUSED: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    about: "The run is not paused, so there is nothing to resume.",
  },
  LEASE_LOST: {
    code: status.ABORTED,
    retryable: false,
    about: "The lease ran out or went to someone else; take a new one.",
  },
  CONFLICT: { code: status.ABORTED, retryable: true, about: "Another writer was faster; read again and repeat." },
  FINGERPRINT_MISMATCH: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    about: "This machine's numeric fingerprint is not the one that was asked for.",
  },
  VERSION_MISMATCH: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    about: "The two sides speak versions of the contract that do not fit.",
  },
  SLOW_READER: {
    code: status.ABORTED,
    retryable: true,
    about: "The stream's reader fell too far behind and was cut; resume from the last message read.",
  },

  // The gateway and the providers behind it.
  NO_PROVIDER: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    about: "No provider is configured that could answer: neither a key nor a recording.",
  },
  PROVIDER_UNAVAILABLE: {
    code: status.UNAVAILABLE,
    retryable: true,
    about: "The model's provider can not be reached or answers with a server error.",
  },
  PROVIDER_RATE_LIMITED: {
    code: status.RESOURCE_EXHAUSTED,
    retryable: true,
    about: "The model's provider asks to slow down.",
  },
  PROVIDER_REFUSED: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    about: "The model's provider refused the request: key, model, parameters or content.",
  },
  PROVIDER_BAD_ANSWER: {
    code: status.UNAVAILABLE,
    retryable: true,
    about: "The model's provider answered with something that is not a completion.",
  },
  RECORDING_MISS: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    about: "The recording has no answer to this request.",
  },
  RECORDING_DAMAGED: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    about: "A file of the recording can not be read or contradicts its own key.",
  },
  CALL_FATE_UNKNOWN: {
    code: status.ABORTED,
    retryable: false,
    about:
      "The request was sent to the provider and whether it was answered is unknown; it is not sent twice without being asked to.",
  },
  BUDGET_EXHAUSTED: {
    code: status.RESOURCE_EXHAUSTED,
    retryable: false,
    about: "The budget is spent; raise it to go on.",
  },
  QUOTA_EXHAUSTED: {
    code: status.RESOURCE_EXHAUSTED,
    retryable: true,
    about: "The tenant's rate or concurrency limit is reached; try again later.",
  },

  // Rollouts and sidecars.
  QUEUE_FULL: { code: status.RESOURCE_EXHAUSTED, retryable: true, about: "The queue has no room; try again later." },
  NO_SIDECAR: { code: status.UNAVAILABLE, retryable: true, about: "No sidecar is ready to simulate." },
  SIDECAR_DIED: { code: status.UNAVAILABLE, retryable: true, about: "The sidecar died while it worked on this." },
  SIDECAR_UNAVAILABLE: { code: status.UNAVAILABLE, retryable: true, about: "The sidecar can not be reached." },
  CANNOT_CONFINE: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    about: "This machine can not confine policies, so none is run.",
  },
  SIMULATOR_FAILED: {
    code: status.INTERNAL,
    retryable: false,
    about: "The simulator itself failed; the policy is not to blame.",
  },
  RENDERING_UNAVAILABLE: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    about: "This machine can not render: the off-screen GL library is missing.",
  },

  // Parts of the fleet that are away.
  DATABASE_UNAVAILABLE: { code: status.UNAVAILABLE, retryable: true, about: "The service's database does not answer." },
  GATEWAY_UNAVAILABLE: { code: status.UNAVAILABLE, retryable: true, about: "The llm-gateway does not answer." },
  ROLLOUT_UNAVAILABLE: { code: status.UNAVAILABLE, retryable: true, about: "The rollout service does not answer." },
  OPTIMIZER_UNAVAILABLE: { code: status.UNAVAILABLE, retryable: true, about: "The optimizer does not answer." },
  ARTIFACTS_UNAVAILABLE: {
    code: status.UNAVAILABLE,
    retryable: true,
    about: "The artifact store does not answer or has no room.",
  },
  SERVICE_UNAVAILABLE: { code: status.UNAVAILABLE, retryable: true, about: "The service does not answer." },
  SHUTTING_DOWN: {
    code: status.UNAVAILABLE,
    retryable: true,
    about: "The service is shutting down; another replica or the restarted one will answer.",
  },

  // Who asks.
  UNAUTHENTICATED: { code: status.UNAUTHENTICATED, retryable: false, about: "The call carries no valid bearer token." },
  PERMISSION_DENIED: { code: status.PERMISSION_DENIED, retryable: false, about: "The caller may not do this." },

  // Calls as such.
  DEADLINE_EXCEEDED: {
    code: status.DEADLINE_EXCEEDED,
    retryable: false,
    about: "The caller's deadline passed before the work was done.",
  },
  CANCELLED: { code: status.CANCELLED, retryable: false, about: "The caller cancelled the call." },
  UNIMPLEMENTED: { code: status.UNIMPLEMENTED, retryable: false, about: "This server does not offer the method." },
  INTERNAL: {
    code: status.INTERNAL,
    retryable: false,
    about: "A fault of ours; the server's log has the cause under the request id.",
  },
} as const satisfies Record<string, ReasonRow>;

/** A name from the table. */
export type Reason = keyof typeof REASONS;

/** Whether a string from the wire is a reason that this version knows. */
export function isReason(word: string): word is Reason {
  return Object.hasOwn(REASONS, word);
}

/**
 * The reason for a status that came without details: from grpc itself, a proxy, or a server that is not ours.
 * `unavailable` names which part of the fleet was called.
 */
export function reasonOfCode(code: status, unavailable: Reason = "SERVICE_UNAVAILABLE"): Reason {
  switch (code) {
    case status.CANCELLED:
      return "CANCELLED";
    case status.INVALID_ARGUMENT:
    case status.OUT_OF_RANGE:
      return "INVALID_ARGUMENT";
    case status.DEADLINE_EXCEEDED:
      return "DEADLINE_EXCEEDED";
    case status.NOT_FOUND:
      return "NOT_FOUND";
    case status.ALREADY_EXISTS:
      return "ALREADY_EXISTS";
    case status.PERMISSION_DENIED:
      return "PERMISSION_DENIED";
    case status.RESOURCE_EXHAUSTED:
      return "QUOTA_EXHAUSTED";
    case status.FAILED_PRECONDITION:
      return "PRECONDITION_FAILED";
    case status.ABORTED:
      return "CONFLICT";
    case status.UNIMPLEMENTED:
      return "UNIMPLEMENTED";
    case status.UNAVAILABLE:
      return unavailable;
    case status.UNAUTHENTICATED:
      return "UNAUTHENTICATED";
    default:
      return "INTERNAL";
  }
}
