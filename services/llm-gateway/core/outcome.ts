/**
 * How a call ends: an answer or a failure, with what it cost. Expected ends are values; what is thrown within the
 * pipeline is broken infrastructure or a bug.
 */
import type { llm, types } from "@promptpo/contracts";
import type { FleetError } from "@promptpo/service-kit/errors.ts";

/**
 * What is known of a failed call at its provider: it was never sent; the provider's own word ended it; or it was sent
 * and nobody knows whether it was worked on and paid.
 */
export type Fate = "unsent" | "settled" | "unknown";

/** What one provider call is charged with, also when it was cut short. */
export interface Charge {
  readonly usage: types.Usage;
  readonly cost: types.Cost;
}

export interface Answer {
  readonly kind: "answer";
  readonly completion: llm.Completion;
  readonly charge?: Charge;
}

export interface Failure {
  readonly kind: "failure";
  readonly error: FleetError;
  readonly fate: Fate;
  readonly charge?: Charge;
}

export type Outcome = Answer | Failure;

export function failure(error: FleetError, fate: Fate, charge?: Charge): Failure {
  return { kind: "failure", error, fate, ...(charge === undefined ? {} : { charge }) };
}
