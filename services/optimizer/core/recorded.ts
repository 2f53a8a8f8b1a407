// What of a run's answers came from a recording, folded from its events, and the sentences that tell a reader so.
import { llm } from "@promptpo/contracts";

export interface Recorded {
  /** `model, date` -> number of answers. */
  readonly answers: ReadonlyMap<string, number>;
  /** Answers whose prompt was the recorded one only once numbers were masked. */
  readonly maskedCount: number;
  /** Place -> difference, of answers that were taken although the prompt is another. */
  readonly byPlace: ReadonlyMap<string, string>;
}

export const NOTHING_RECORDED: Recorded = { answers: new Map(), maskedCount: 0, byPlace: new Map() };

export function noteRecorded(before: Recorded, place: string, completion: llm.Completion | undefined): Recorded {
  const recorded = completion?.recorded;
  if (recorded === undefined) return before;
  const key = recorded.date === "" ? recorded.model : `${recorded.model}, ${recorded.date}`;
  const masked = recorded.match === llm.RecordedAnswer_Match.MATCH_MASKED_NUMBERS ? 1 : 0;
  return {
    answers: new Map(before.answers).set(key, (before.answers.get(key) ?? 0) + 1),
    maskedCount: before.maskedCount + masked,
    byPlace:
      recorded.match === llm.RecordedAnswer_Match.MATCH_PLACE
        ? new Map(before.byPlace).set(place, recorded.difference)
        : before.byPlace,
  };
}

export function recordedNotices({ answers, maskedCount, byPlace }: Recorded): string[] {
  const notices = [...answers.keys()].sort().map((key) => `recorded answers from ${key}`);
  if (maskedCount > 0)
    notices.push(
      `${maskedCount} recorded ${maskedCount === 1 ? "answer was" : "answers were"} given to prompts that differ from ours in numbers only`,
    );
  for (const place of [...byPlace.keys()].sort())
    notices.push(`the recorded answer of ${place} was given to another prompt: ${byPlace.get(place)}`);
  return notices;
}
