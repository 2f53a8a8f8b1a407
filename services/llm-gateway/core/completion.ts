/**
 * Completions as callers get them: built from a provider's or a recording's answer, and told again from cache, log or
 * another call. Pure.
 */
import { llm, timestampFromDate, types } from "@promptpo/contracts";
import type { Call } from "./call.ts";
import type { Match } from "./match-recorded.ts";
import type { Charge } from "./outcome.ts";
import type { Finish, Recorded } from "./recorded.ts";

const finishReasons = {
  stop: llm.Completion_FinishReason.FINISH_REASON_STOP,
  length: llm.Completion_FinishReason.FINISH_REASON_LENGTH,
  content_filter: llm.Completion_FinishReason.FINISH_REASON_CONTENT_FILTER,
} as const satisfies Record<Finish, llm.Completion_FinishReason>;

const matches = {
  exact: llm.RecordedAnswer_Match.MATCH_EXACT,
  masked: llm.RecordedAnswer_Match.MATCH_MASKED_NUMBERS,
  place: llm.RecordedAnswer_Match.MATCH_PLACE,
} as const satisfies Record<Match, llm.RecordedAnswer_Match>;

export function fromProvider(
  call: Call,
  reply: { readonly text: string; readonly model: string; readonly finish: Finish },
  provider: string,
  charge: Charge,
  nowMs: number,
): llm.Completion {
  return llm.Completion.fromPartial({
    ...namesOf(call),
    text: reply.text,
    model: reply.model,
    finishReason: finishReasons[reply.finish],
    usage: charge.usage,
    cost: charge.cost,
    source: llm.Completion_Source.SOURCE_PROVIDER,
    provider,
    createTime: timestampFromDate(new Date(nowMs)),
  });
}

/** Recorded answers are unpriced: their cost is unknown, not zero. */
export function fromRecording(
  call: Call,
  found: { readonly recorded: Recorded; readonly match: Match; readonly difference: string },
  nowMs: number,
): llm.Completion {
  const { recorded } = found;
  return llm.Completion.fromPartial({
    ...namesOf(call),
    text: recorded.answer,
    model: recorded.model,
    finishReason: finishReasons[recorded.finish],
    usage: recorded.usage,
    cost: types.Cost.fromPartial({ microUsd: 0n, known: false }),
    source: llm.Completion_Source.SOURCE_RECORDING,
    recorded: {
      model: recorded.model,
      date: recorded.date,
      match: matches[found.match],
      difference: found.difference,
    },
    createTime: timestampFromDate(new Date(nowMs)),
  });
}

/** Another call's answer, of which this one costs nothing. */
export function sharedWith(call: Call, completion: llm.Completion, source: llm.Completion_Source): llm.Completion {
  return { ...completion, ...namesOf(call), source, cost: types.Cost.fromPartial({ microUsd: 0n, known: true }) };
}

/** The same call's answer told again: what it cost stays what it cost. */
export function toldAgain(completion: llm.Completion, source: llm.Completion_Source): llm.Completion {
  return { ...completion, source };
}

/** What the provider's word for its end means; undefined for words that no caller can act on. */
export function finishOf(completion: llm.Completion): Finish | undefined {
  switch (completion.finishReason) {
    case llm.Completion_FinishReason.FINISH_REASON_STOP:
      return "stop";
    case llm.Completion_FinishReason.FINISH_REASON_LENGTH:
      return "length";
    case llm.Completion_FinishReason.FINISH_REASON_CONTENT_FILTER:
      return "content_filter";
    default:
      return undefined;
  }
}

function namesOf(call: Call): Pick<llm.Completion, "cacheKey" | "recordingKey" | "requestId"> {
  return { cacheKey: call.cacheKey, recordingKey: call.recordingKey, requestId: call.requestId };
}
