/**
 * Recordings: answers from a file instead of a provider, and answers written into files.
 *
 * Replay never reaches a provider. Recording replays what is recorded under the same key, so that it goes on after a
 * crash, and asks and writes the rest. A file that can not be written does not cost the caller the paid answer: the
 * answer is given and the fault is logged.
 */

import type { llm } from "@promptpo/contracts";
import { types } from "@promptpo/contracts";
import type { Call } from "../call.ts";
import { finishOf, fromRecording } from "../completion.ts";
import { matchRecorded } from "../match-recorded.ts";
import { failure } from "../outcome.ts";
import type { Clock, Notes, Recordings } from "../ports.ts";
import type { Recorded } from "../recorded.ts";
import type { Stage } from "./flow.ts";

export function recordingStage(recordings: Recordings, clock: Clock, notes: Notes): Stage {
  return async (flow, next) => {
    const { call } = flow;
    if (recordings.mode === "off") return next(flow);
    const found = matchRecorded(recordings.library, call, recordings.mode === "record" ? "exact" : call.tolerance);
    if (found.kind === "match") {
      if (found.match !== "exact") {
        notes.warn(
          { place: call.place, match: found.match, difference: found.difference },
          "a recorded answer to another prompt",
        );
      }
      return { kind: "answer", completion: fromRecording(call, found, clock.now()) };
    }
    if (recordings.mode === "replay") return failure(found.error, "unsent");
    const outcome = await next(flow);
    if (outcome.kind !== "answer") return outcome;
    const recorded = recordedFrom(call, outcome.completion, clock.now());
    if (recorded === undefined) return outcome;
    try {
      await recordings.write(recorded);
    } catch (error) {
      notes.error({ place: call.place, key: call.recordingKey, err: error }, "the answer could not be recorded");
    }
    return outcome;
  };
}

function recordedFrom(call: Call, completion: llm.Completion, nowMs: number): Recorded | undefined {
  const finish = finishOf(completion);
  if (finish === undefined) return undefined;
  return {
    key: call.recordingKey,
    place: call.place,
    model: completion.model,
    date: new Date(nowMs).toISOString().slice(0, 10),
    messages: call.messages,
    parameters: call.parameters,
    finish,
    answer: completion.text,
    usage: types.Usage.fromPartial(completion.usage ?? {}),
  };
}
