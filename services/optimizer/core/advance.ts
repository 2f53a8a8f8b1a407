// One step of a run's log: an outcome (or a control) comes in, facts that follow are added, new commands come out.
// Owns what one transaction writes. Refuses outcomes that nobody waits for: a place twice, a place of an ended run.
import type { optimizer, Timestamp } from "@promptpo/contracts";
import { apply, begin } from "./apply.ts";
import type { Command } from "./command.ts";
import type { LogState } from "./log-state.ts";
import { CREATED_PLACE, controlPlace } from "./place.ts";
import { decide, survey } from "./survey.ts";

type Kind = NonNullable<optimizer.Event["kind"]>;

export interface Advanced {
  readonly state: LogState;
  /** What is new in the log, in order, numbered. */
  readonly events: readonly optimizer.Event[];
  /** What is to be done now and was not before. */
  readonly commands: readonly Command[];
}

/** The first events of a run. */
export function create(runId: string, created: optimizer.RunCreated, time: Timestamp): Advanced {
  const event: optimizer.Event = {
    sequence: 1n,
    place: CREATED_PLACE,
    createTime: time,
    kind: { $case: "runCreated", value: created },
  };
  return withFacts(begin(runId, event), [event], time, []);
}

/** What an outcome leads to; undefined when its place is not (or no longer) waited for. */
export function advance(before: LogState, place: string, kind: Kind, time: Timestamp): Advanced | undefined {
  if (!survey(before).open.some((command) => command.place === place)) return undefined;
  return append(before, place, kind, time);
}

/** What a control leads to; undefined when the run has ended. */
export function steer(before: LogState, control: optimizer.RunControlled, time: Timestamp): Advanced | undefined {
  if (before.ended !== undefined) return undefined;
  return append(before, controlPlace(before.controlCount), { $case: "runControlled", value: control }, time);
}

function append(before: LogState, place: string, kind: Kind, time: Timestamp): Advanced {
  const event: optimizer.Event = { sequence: BigInt(before.sequence + 1), place, createTime: time, kind };
  return withFacts(apply(before, event), [event], time, decide(before));
}

function withFacts(first: LogState, events: optimizer.Event[], time: Timestamp, known: readonly Command[]): Advanced {
  let state = first;
  for (let fact = survey(state).fact; fact !== undefined; fact = survey(state).fact) {
    const event: optimizer.Event = { sequence: BigInt(state.sequence + 1), createTime: time, ...fact };
    events.push(event);
    state = apply(state, event);
  }
  const before = new Set(known.map(({ place }) => place));
  return { state, events, commands: decide(state).filter(({ place }) => !before.has(place)) };
}
