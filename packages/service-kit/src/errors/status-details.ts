/**
 * `google.rpc.Status` in the trailer `grpc-status-details-bin`: how an error's details travel, both ways.
 *
 * Owns the packing and its limits. HTTP/2 peers drop trailers beyond about 8 KiB, and with them the whole status, so
 * everything is cut to fit: the message first to its own limit, then field violations from the end, then metadata.
 */
import { Metadata, status } from "@grpc/grpc-js";
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  RequestInfo,
  RetryInfo,
} from "@promptpo/contracts/gen/google/rpc/error_details.ts";
import { Status } from "@promptpo/contracts/gen/google/rpc/status.ts";
import { ERROR_DOMAIN, type Reason } from "./reasons.ts";
import type { Violation } from "./violation.ts";

const TRAILER = "grpc-status-details-bin";
const TYPE = "type.googleapis.com/google.rpc.";

/** Characters of a message. It travels twice: percent-encoded in `grpc-message` (three to nine bytes a rare character). */
const MESSAGE_CHARACTERS_MOST = 1_000;
/** Bytes of the percent-encoded `grpc-message`. */
const ENCODED_MESSAGE_BYTES_MOST = 1_800;
/** Bytes of the packed status; base64 makes a third more of them. 1.8 + 4/3 * 4 KiB stays under 8 KiB. */
const DETAILS_BYTES_MOST = 4_096;
const METADATA_VALUE_CHARACTERS_MOST = 300;
const VIOLATIONS_MOST = 20;

/** What came with a status, read back. */
export interface StatusDetails {
  readonly message: string;
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number | undefined;
  readonly violations?: readonly Violation[] | undefined;
  readonly requestId?: string | undefined;
}

/** What is sent of an error: the part of FleetError that goes over the wire. */
export interface SentError {
  readonly code: status;
  readonly reason: Reason;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number;
  readonly violations?: readonly Violation[];
  readonly requestId?: string;
}

/** The three parts that grpc-js wants of a failed call. */
export interface WireError {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** An error as it goes over the wire. `requestId` is the id of the call that fails. */
export function toWire(error: SentError, requestId?: string): WireError {
  const message = shorten(error.message, MESSAGE_CHARACTERS_MOST);
  const violations = (error.violations ?? []).slice(0, VIOLATIONS_MOST).map(
    (violation): Violation => ({
      field: shorten(violation.field, 120),
      description: shorten(violation.description, METADATA_VALUE_CHARACTERS_MOST),
    }),
  );
  const metadata = Object.entries(error.metadata).map(
    ([key, value]) => [key, shorten(value, METADATA_VALUE_CHARACTERS_MOST)] as const,
  );
  let bytes = pack(error, message, violations, metadata, requestId);
  while (bytes.length > DETAILS_BYTES_MOST && (violations.length > 0 || metadata.length > 0)) {
    if (violations.length > 0) violations.pop();
    else metadata.pop();
    bytes = pack(error, message, violations, metadata, requestId);
  }
  if (bytes.length > DETAILS_BYTES_MOST) bytes = pack(error, shorten(message, 200), [], [], requestId);
  const trailers = new Metadata();
  trailers.set(TRAILER, bytes);
  return { code: error.code, details: shortenEncoded(message), metadata: trailers };
}

/** The details of a failed call; undefined when there are none or they can not be read. */
export function readStatusDetails(trailers: Metadata): StatusDetails | undefined {
  const [bytes] = trailers.get(TRAILER);
  if (!Buffer.isBuffer(bytes)) return undefined;
  try {
    return unpack(Status.decode(bytes));
  } catch {
    // A proxy's or stranger's trailer: the code alone is then what is known.
    return undefined;
  }
}

function pack(
  error: SentError,
  message: string,
  violations: readonly Violation[],
  metadata: readonly (readonly [string, string])[],
  requestId: string | undefined,
): Buffer {
  const details: { typeUrl: string; value: Buffer }[] = [];
  const add = (name: string, bytes: Uint8Array): void => {
    details.push({ typeUrl: TYPE + name, value: Buffer.from(bytes) });
  };
  add(
    "ErrorInfo",
    ErrorInfo.encode({ reason: error.reason, domain: ERROR_DOMAIN, metadata: Object.fromEntries(metadata) }).finish(),
  );
  if (violations.length > 0) {
    add(
      "BadRequest",
      BadRequest.encode({
        fieldViolations: violations.map(({ field, description }) => ({ field, description, reason: "" })),
      }).finish(),
    );
  }
  if (error.retryAfterMs !== undefined) {
    const ms = Math.max(0, Math.round(error.retryAfterMs));
    add(
      "RetryInfo",
      RetryInfo.encode({
        retryDelay: { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 },
      }).finish(),
    );
  }
  if (error.code === status.FAILED_PRECONDITION) {
    const subject = shorten(error.metadata["subject"] ?? "", 120);
    add(
      "PreconditionFailure",
      PreconditionFailure.encode({
        violations: [{ type: error.reason, subject, description: shorten(message, 200) }],
      }).finish(),
    );
  }
  const id = requestId ?? error.requestId;
  if (id !== undefined) add("RequestInfo", RequestInfo.encode({ requestId: id, servingData: "" }).finish());
  return Buffer.from(Status.encode({ code: error.code, message, details }).finish());
}

function unpack(sent: Status): StatusDetails {
  let info: ErrorInfo | undefined;
  let violations: Violation[] | undefined;
  let retryAfterMs: number | undefined;
  let requestId: string | undefined;
  for (const { typeUrl, value } of sent.details) {
    switch (typeUrl.slice(typeUrl.lastIndexOf("/") + 1)) {
      case "google.rpc.ErrorInfo":
        info = ErrorInfo.decode(value);
        break;
      case "google.rpc.BadRequest":
        violations = BadRequest.decode(value).fieldViolations.map(({ field, description }) => ({ field, description }));
        break;
      case "google.rpc.RetryInfo": {
        const delay = RetryInfo.decode(value).retryDelay;
        if (delay !== undefined) retryAfterMs = Number(delay.seconds) * 1000 + delay.nanos / 1_000_000;
        break;
      }
      case "google.rpc.RequestInfo":
        requestId = RequestInfo.decode(value).requestId;
        break;
      default:
        break; // A kind of detail that this version does not read.
    }
  }
  return {
    message: sent.message,
    reason: info?.reason ?? "",
    domain: info?.domain ?? "",
    metadata: info?.metadata ?? {},
    retryAfterMs,
    violations,
    requestId,
  };
}

/** At most `most` UTF-16 units, well-formed (a lone surrogate in a header makes `encodeURI` throw), the cut marked. */
function shorten(text: string, most: number): string {
  const whole = text.toWellFormed();
  return whole.length <= most ? whole : `${whole.slice(0, most - 1)}…`.toWellFormed();
}

function shortenEncoded(message: string): string {
  let text = message;
  while (encodeURI(text).length > ENCODED_MESSAGE_BYTES_MOST) text = shorten(text, Math.floor(text.length * 0.7));
  return text;
}
