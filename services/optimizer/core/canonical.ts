// The canonical form of a run's log, and its digest: what a disturbed run and an undisturbed one must have in common.
//
// Events sorted by place (code units), each reduced to {place, kind, payload} in proto JSON with lowerCamelCase names.
// Left out, because it may differ where the run is the same: sequence numbers and times; of an answer everything but its
// text, the model's name and why it stopped (source, provider, keys, price, counts, how a recording matched); words of
// failures that are not the policy's (they name hosts; the reason stays), the run's end's cause, fingerprints, artifacts;
// the run's own id in candidates' ids. Doubles that JSON cannot say are the strings "NaN", "Infinity", "-Infinity", as
// in proto JSON; -0 is 0. The array of events in canonical JSON (RFC 8785), hashed with sha-256, is the digest.
import { canonicalJson, type Json, llm, optimizer, sha256, toProtoJson, types } from "@promptpo/contracts";

const texts = new WeakMap<optimizer.Event, string>();

/** Lower-case hex sha-256 of the canonical form. */
export function logDigest(runId: string, events: readonly optimizer.Event[]): string {
  return sha256(canonicalLog(runId, events));
}

/** The canonical form itself, for people who look for a difference. */
export function canonicalLog(runId: string, events: readonly optimizer.Event[]): string {
  const sorted = [...events].sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0));
  return `[${sorted.map((event) => canonicalEvent(runId, event)).join(",")}]`;
}

/** One event. Remembered as long as the event is: a digest is asked for often, an event never changes. */
export function canonicalEvent(runId: string, event: optimizer.Event): string {
  const known = texts.get(event);
  if (known !== undefined) return known;
  const text = canonicalJson({ place: event.place, kind: event.kind?.$case ?? "", payload: payload(runId, event) });
  texts.set(event, text);
  return text;
}

function payload(runId: string, { kind }: optimizer.Event): Json {
  switch (kind?.$case) {
    case "runCreated":
      return toProtoJson(optimizer.RunCreated, kind.value);
    case "modelAnswered": {
      const { completion, errorReason, messagesSha256 } = kind.value;
      return {
        ...(completion === undefined ? {} : { completion: answer(completion) }),
        errorReason,
        messagesSha256,
      };
    }
    case "policyEvaluated": {
      const { episodes, stepCount, errorReason } = kind.value;
      return { episodes: episodes.map(episode), stepCount: stepCount.toString(), errorReason };
    }
    case "trajectoriesSummarized":
      return summarized(kind.value);
    case "roundEnded":
      return kind.value.round === undefined ? {} : round(runId, kind.value.round);
    case "runEnded":
      return {
        state: optimizer.runStateToJSON(kind.value.state),
        ...(kind.value.result === undefined ? {} : { result: result(runId, kind.value.result) }),
      };
    case "runControlled":
      return toProtoJson(optimizer.RunControlled, kind.value);
    default:
      return {};
  }
}

function answer({ text, model, finishReason }: llm.Completion): Json {
  return { text, model, finishReason: llm.completion_FinishReasonToJSON(finishReason) };
}

function summarized({ lines, error, stepCount }: optimizer.TrajectoriesSummarized): Json {
  // An error without a kind is a service's, not the program's: its words may name hosts.
  const own = error !== undefined && error.kind !== types.PolicyError_Kind.KIND_UNSPECIFIED;
  return {
    lines,
    stepCount: stepCount.toString(),
    ...(error === undefined ? {} : { error: own ? toProtoJson(types.PolicyError, error) : {} }),
  };
}

function round(runId: string, value: optimizer.Round): Json {
  return {
    number: value.number,
    winnerId: withoutRun(runId, value.winnerId),
    ...(value.winnerScore === undefined ? {} : { winnerScore: score(value.winnerScore) }),
    scoredCount: value.scoredCount,
    failedCount: value.failedCount,
    feedback: value.feedback,
    trainStepsTotal: value.trainStepsTotal.toString(),
    callCountTotal: value.callCountTotal.toString(),
  };
}

function result(runId: string, value: optimizer.RunResult): Json {
  return {
    candidateId: withoutRun(runId, value.candidateId),
    source: value.source,
    round: value.round,
    ...(value.selectionScore === undefined ? {} : { selectionScore: score(value.selectionScore) }),
    ...(value.heldoutScore === undefined ? {} : { heldoutScore: score(value.heldoutScore) }),
  };
}

function score(value: optimizer.Score): Json {
  return {
    meanReturn: double(value.meanReturn),
    successRate: double(value.successRate),
    episodes: value.episodes.map(episode),
  };
}

function episode(value: types.EpisodeResult): Json {
  const { trajectory: _, ...rest } = value;
  return {
    ...object(toProtoJson(types.EpisodeResult, { ...rest, trajectory: undefined })),
    returnValue: double(value.returnValue),
  };
}

function double(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

function withoutRun(runId: string, id: string): string {
  return id.startsWith(`${runId}/`) ? id.slice(runId.length + 1) : id;
}

function object(value: Json): { readonly [key: string]: Json } {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}
