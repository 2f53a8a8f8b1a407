/**
 * Recorded answers and where they are found. Types and the empty library.
 */
import type { types } from "@promptpo/contracts";
import type { ChatMessage, Parameters } from "./call.ts";

export type Finish = "stop" | "length" | "content_filter";

/** One recorded answer: what one file of a recording holds. */
export interface Recorded {
  /** Hex sha-256 of the recording's key. */
  readonly key: string;
  /** Empty for calls outside of runs. */
  readonly place: string;
  /** The answering model's true name. */
  readonly model: string;
  /** ISO date of the answer. */
  readonly date: string;
  readonly messages: readonly ChatMessage[];
  readonly parameters: Parameters;
  readonly finish: Finish;
  readonly answer: string;
  readonly usage: types.Usage;
}

/** A file that can not be used, and why. */
export interface DamagedFile {
  readonly path: string;
  readonly why: string;
  /** The place that its name stands for; undefined when it spoils its whole folder. */
  readonly place: string | undefined;
}

/** Everything that is recorded, in the order of the folders and, within one, of the files' names. */
export interface Library {
  byKey(key: string): readonly Recorded[];
  byPlace(place: string): readonly Recorded[];
  all(): readonly Recorded[];
  damaged(): readonly DamagedFile[];
}
