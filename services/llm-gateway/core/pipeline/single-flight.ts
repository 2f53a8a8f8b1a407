/**
 * Identical calls in flight share one provider call, within this process.
 *
 * Identical means the same cache key. A caller that leaves does not disturb the others; when the last one has left, the
 * provider call is stopped. Calls with a request id do not leave (they run detached from their callers), so they hold it.
 * One member pays: the oldest of those still there at the end. Nobody there: `onOrphan` takes the charge.
 */
import { llm } from "@promptpo/contracts";
import type { Call } from "../call.ts";
import { sharedWith } from "../completion.ts";
import { type Charge, failure, type Outcome } from "../outcome.ts";
import type { Flow, Next, Stage } from "./flow.ts";
import { Pieces } from "./pieces.ts";
import { openScope, reasonOf, type Scope, unlessAborted } from "./waiting.ts";

interface Flight {
  /** In the order of joining. */
  readonly members: Set<Flow>;
  readonly scope: Scope;
  readonly pieces: Pieces | undefined;
  sent: boolean;
  result: Promise<Outcome>;
  payer: Flow | undefined;
}

export function singleFlight(onOrphan: (call: Call, charge: Charge) => void): Stage {
  const flights = new Map<string, Flight>();

  const launch = (key: string, first: Flow, next: Next): Flight => {
    const members = new Set([first]);
    const flight: Flight = {
      members,
      scope: openScope({ parents: [] }),
      pieces: first.pieces === undefined ? undefined : new Pieces(),
      sent: false,
      result: Promise.resolve(failure(reasonOf(first.signal), "unsent")),
      payer: undefined,
    };
    flights.set(key, flight);
    const run = async (): Promise<Outcome> => {
      try {
        return await next({
          call: first.call,
          signal: flight.scope.signal,
          deadline: () => Math.max(...[...members].map((member) => member.deadline())),
          pieces: flight.pieces,
          beforeSend: async () => {
            flight.sent = true;
            await Promise.all([...members].map((member) => member.beforeSend()));
          },
        });
      } finally {
        if (flights.get(key) === flight) flights.delete(key);
        [flight.payer] = members;
      }
    };
    flight.result = run();
    flight.result.then(
      ({ charge }) => {
        if (flight.payer === undefined && charge !== undefined) onOrphan(first.call, charge);
      },
      () => undefined, // Members see it; without any nobody needs to.
    );
    return flight;
  };

  const leave = (key: string, flight: Flight, member: Flow): void => {
    flight.members.delete(member);
    if (flight.members.size > 0) return;
    // A flight that is being stopped must not be joined.
    if (flights.get(key) === flight) flights.delete(key);
    if (member.signal.aborted) flight.scope.abort(reasonOf(member.signal));
  };

  return async (flow, next) => {
    if (flow.call.cacheUse === "no-cache") return next(flow);
    const key = `${flow.call.cacheUse}:${flow.call.cacheKey}`;
    const joined = flights.get(key);
    const flight = joined ?? launch(key, flow, next);
    flight.members.add(flow);
    const { pieces } = flow;
    const unfollow = pieces === undefined ? undefined : flight.pieces?.follow((piece) => pieces.append(piece));
    try {
      if (joined !== undefined && flight.sent) await flow.beforeSend();
      const outcome = await unlessAborted(flight.result, flow.signal);
      return flight.payer === flow ? asPayer(flow.call, outcome) : asGuest(flow.call, outcome);
    } catch (error) {
      if (!flow.signal.aborted) throw error;
      return failure(reasonOf(flow.signal), flight.sent ? "unknown" : "unsent");
    } finally {
      unfollow?.();
      leave(key, flight, flow);
    }
  };
}

function asPayer(call: Call, outcome: Outcome): Outcome {
  if (outcome.kind === "failure") return outcome;
  const { completion } = outcome;
  return { ...outcome, completion: { ...completion, requestId: call.requestId, recordingKey: call.recordingKey } };
}

function asGuest(call: Call, outcome: Outcome): Outcome {
  if (outcome.kind === "failure") return failure(outcome.error, outcome.fate);
  return {
    kind: "answer",
    completion: sharedWith(call, outcome.completion, llm.Completion_Source.SOURCE_SINGLE_FLIGHT),
  };
}
