// The place of a command or fact in a run: `r<round>/<who>/<kind>/<attempt>`, `final/all/<kind>/0`, `control/<n>`.
// Owns spelling and parsing of places. A place names an outcome once and for all: it never depends on clocks or order.

/** What a place's outcome is of. `created` and `ended` are facts of the log, the others are commands. */
export const PLACE_KINDS = [
  "created",
  "feedback",
  "feedback-repair",
  "reflection",
  "policy",
  "policy-repair",
  "evaluation",
  "summary",
  "ended",
  "heldout",
] as const;
export type PlaceKind = (typeof PLACE_KINDS)[number];

export interface Place {
  /** Round from 1; 0 is what comes before the first; "final" is what comes after the last. */
  readonly round: number | "final";
  /** Index of the candidate, or "all" for what concerns the whole round. */
  readonly who: number | "all";
  readonly kind: PlaceKind;
  readonly attempt: number;
}

export const CREATED_PLACE = "r0/all/created/0";
export const FEEDBACK_PLACE = "r0/all/feedback/0";
export const HELDOUT_PLACE = "final/all/heldout/0";
export const RUN_ENDED_PLACE = "final/all/ended/0";

export function candidatePlace(round: number, index: number, kind: PlaceKind, attempt: number): string {
  return `r${round}/${candidateName(index)}/${kind}/${attempt}`;
}

export function roundPlace(round: number, kind: PlaceKind, attempt: number): string {
  return `r${round}/all/${kind}/${attempt}`;
}

/** Place of the n-th control of a run, from 0. */
export function controlPlace(n: number): string {
  return `control/${n}`;
}

/** `c03`: two digits at least. */
export function candidateName(index: number): string {
  return `c${String(index).padStart(2, "0")}`;
}

const FORM = /^(?:r(0|[1-9]\d{0,5})|(final))\/(?:c(\d{2,6})|(all))\/([a-z-]+)\/(0|[1-9]\d{0,5})$/;

/** The parts; undefined for a control's place and for anything that is no place. */
export function parsePlace(text: string): Place | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const kind = PLACE_KINDS.find((known) => known === match[5]);
  if (kind === undefined) return undefined;
  const who = match[3] === undefined ? "all" : Number(match[3]);
  if (who !== "all" && candidateName(who) !== `c${match[3]}`) return undefined;
  return { round: match[1] === undefined ? "final" : Number(match[1]), who, kind, attempt: Number(match[6]) };
}
