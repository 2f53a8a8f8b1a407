// Folds events into a run's state: `apply(state, event) -> state`. Pure: no clock but the events' own times.
// The first outcome of a place counts, later ones change nothing; the order of independent places does not matter.
import { optimizer, rollout, timestampToDate } from "@promptpo/contracts";
import { budgetMet } from "./budget.ts";
import type { LogState, Outcome } from "./log-state.ts";
import { outcomeAt } from "./log-state.ts";
import { parsePlace } from "./place.ts";
import { NOTHING_RECORDED, noteRecorded } from "./recorded.ts";
import { compileSettings } from "./settings.ts";
import { count, EMPTY_TALLY } from "./tally.ts";

/** The state after a run's first event. Throws when that is not RUN_CREATED: a log begins with it or is none. */
export function begin(runId: string, event: optimizer.Event): LogState {
  if (event.kind?.$case !== "runCreated") throw new TypeError(`the log of ${runId} does not begin with its creation`);
  const { settings, environmentJson, promptVersion } = event.kind.value;
  if (settings === undefined) throw new TypeError(`the log of ${runId} has no settings`);
  return {
    runId,
    settings: compileSettings(settings),
    settingsMessage: settings,
    environment: rollout.Environment.fromJSON(JSON.parse(environmentJson)),
    promptVersion,
    createTimeMs: timeOf(event),
    sequence: Number(event.sequence),
    outcomes: new Map(),
    tally: EMPTY_TALLY,
    recorded: NOTHING_RECORDED,
    closed: undefined,
    controlCount: 0,
    paused: false,
    cancelled: undefined,
    ended: undefined,
  };
}

export function apply(before: LogState, event: optimizer.Event): LogState {
  const state = { ...before, sequence: Math.max(before.sequence, Number(event.sequence)) };
  const { kind, place } = event;
  switch (kind?.$case) {
    case "modelAnswered":
    case "policyEvaluated":
    case "trajectoriesSummarized":
    case "roundEnded": {
      const round = parsePlace(place)?.round;
      if (round === undefined) throw new TypeError(`${place} is no place of an outcome`);
      if (outcomeAt(before, place) !== undefined) return before;
      const tally = count(state.tally, place, kind);
      const closed = state.closed ?? budgetMet(state, tally, event);
      const outcome: Outcome = { place, kind, closed };
      const ofRound = new Map(state.outcomes.get(round)).set(place, outcome);
      const recorded =
        kind.$case === "modelAnswered" ? noteRecorded(state.recorded, place, kind.value.completion) : state.recorded;
      return { ...state, tally, recorded, closed, outcomes: new Map(state.outcomes).set(round, ofRound) };
    }
    case "runControlled":
      return control(state, kind.value);
    case "runEnded":
      return state.ended === undefined ? { ...state, ended: { event: kind.value, timeMs: timeOf(event) } } : before;
    default:
      return state;
  }
}

/** The state that a whole log folds to. */
export function fold(runId: string, events: readonly optimizer.Event[]): LogState {
  const [first, ...rest] = events;
  if (first === undefined) throw new TypeError(`the log of ${runId} is empty`);
  return rest.reduce(apply, begin(runId, first));
}

function control(state: LogState, { action, reason }: optimizer.RunControlled): LogState {
  const next = { ...state, controlCount: state.controlCount + 1 };
  switch (action) {
    case optimizer.RunControlled_Action.ACTION_CANCEL:
      return { ...next, cancelled: next.cancelled ?? { reason } };
    case optimizer.RunControlled_Action.ACTION_PAUSE:
      return { ...next, paused: true };
    case optimizer.RunControlled_Action.ACTION_RESUME:
      return { ...next, paused: false };
    default:
      return next;
  }
}

function timeOf(event: optimizer.Event): number {
  return event.createTime === undefined ? 0 : timestampToDate(event.createTime).getTime();
}
