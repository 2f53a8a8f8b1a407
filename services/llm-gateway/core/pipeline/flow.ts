/**
 * One call's way through the stages, and how stages are put in a row: the first is the outermost, each decides whether
 * the next is asked.
 */
import type { Call } from "../call.ts";
import type { Outcome } from "../outcome.ts";
import type { Pieces } from "./pieces.ts";

export interface Flow {
  readonly call: Call;
  /** Ends the work; its reason is a FleetError. */
  readonly signal: AbortSignal;
  /** Epoch milliseconds after which an answer is of no use. May move while the call runs: others join it. */
  readonly deadline: () => number;
  /** Where pieces of the answer go as they come; undefined when nobody wants pieces. */
  readonly pieces: Pieces | undefined;
  /** Awaited before a provider may be reached. May be called more than once. */
  readonly beforeSend: () => Promise<void>;
}

export type Next = (flow: Flow) => Promise<Outcome>;
export type Stage = (flow: Flow, next: Next) => Promise<Outcome>;

export function inOrder(stages: readonly Stage[], last: Next): Next {
  return stages.reduceRight<Next>((next, stage) => (flow) => stage(flow, next), last);
}
