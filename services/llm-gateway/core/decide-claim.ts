/**
 * What to do about a call's row in the answer log. Pure.
 *
 *   reserved -> sent -> stored        an answer, given to whoever asks again
 *                    -> failed        ended by a reason that is not worth trying again by itself
 *                    -> unknown       sent, and nobody knows what became of it
 *   reserved, without an owner        given back after a failure that may pass, or never sent
 *
 * Only `stored` sticks. A failed row says what happened (GetCompletion) and does not answer: nothing was paid for it, and
 * a caller who asks again with the same id has perhaps mended key, model or recording. So failures are asked anew.
 */
import type { Call } from "./call.ts";
import type { Failure } from "./outcome.ts";
import type { AnswerRow, RowState } from "./ports.ts";

export type Claim =
  /** The stored answer. */
  | "answer"
  /** The id stands for another body. */
  | "refuse"
  /** Another process, alive, works on it. */
  | "wait"
  /** Its owner is not there: look once more before that is believed. */
  | "look-again"
  /** Nobody works on it: do it. */
  | "take"
  /** It may have been paid for, and the caller does not want to risk a second time. */
  | "hold";

export function decideClaim(
  row: AnswerRow,
  call: Pick<Call, "bodySha256" | "onUnknown">,
  self: { readonly owner: string; readonly ownerWasMissed: boolean },
): Claim {
  if (row.bodySha256 !== call.bodySha256) return "refuse";
  if (row.state === "stored") return "answer";
  // A row of this process that is not among its running calls is left over from a failed release.
  const working = row.owner !== undefined && row.owner !== self.owner;
  if (working && row.ownerLives) return "wait";
  // The owner's lock goes with its connection: right after a restart of the database a live owner looks dead.
  if (working && !self.ownerWasMissed) return "look-again";
  const unknown = row.state === "unknown" || row.state === "sent";
  return unknown && call.onUnknown === "hold" ? "hold" : "take";
}

/** The state in which a failure leaves the row. */
export function stateAfter(end: Failure): "reserved" | "failed" | "unknown" {
  // Whoever cancels knows that the answer is lost.
  if (end.error.reason === "CANCELLED") return "failed";
  if (end.fate === "unknown") return "unknown";
  return end.error.retryable ? "reserved" : "failed";
}

/** The state as callers see it: what a dead process had sent is of unknown fate. */
export function visibleState(row: Pick<AnswerRow, "state" | "owner" | "ownerLives">): RowState {
  return row.state === "sent" && !(row.owner !== undefined && row.ownerLives) ? "unknown" : row.state;
}
