// What `survey` reads out of a run's state: rounds, winners, what is to be done and what is to be written. Types only.
import type { optimizer, types } from "@promptpo/contracts";
import type { CandidateProgress } from "./candidate-progress.ts";
import type { Command } from "./command.ts";
import type { BrokenProgram } from "./feedback-progress.ts";
import type { Score } from "./score.ts";

/** A round's winner as later prompts show it. */
export interface HistoryItem {
  readonly round: number;
  readonly index: number;
  readonly source: string;
  readonly score: Score;
  /** One text an episode, in seed order; empty where there is no summary. */
  readonly feedback: readonly string[];
  /** Made at the start of the next round. */
  readonly reflection: string | undefined;
}

/** What a round's prompts are made of. */
export interface Briefing {
  /** Winners of earlier rounds, oldest first. Empty: the task prompt. */
  readonly history: readonly HistoryItem[];
  /** How the candidates of the round before failed, where all of them did. */
  readonly failures: readonly types.PolicyError[];
}

export interface RoundProgress {
  readonly number: number;
  /** As the round's reflection sees it: its latest winner has no reflection yet. */
  readonly before: Briefing;
  /** As its candidates see it; undefined while the reflection is being asked for. */
  readonly briefing: Briefing | undefined;
  readonly candidates: readonly CandidateProgress[];
  /** Index of the winner, once every candidate is scored or failed. */
  readonly winner: number | undefined;
  /** The winner's summary, once it is there. */
  readonly feedback: readonly string[];
  /** The fact that closed it; undefined while it goes on. */
  readonly ended: optimizer.Round | undefined;
}

/** An event that follows from the log itself: written in the transaction of the outcome that completed it. */
export interface Fact {
  readonly place: string;
  readonly kind: NonNullable<optimizer.Event["kind"]>;
}

export interface Progress {
  /** The run's rounds so far; the last one may be going on. */
  readonly rounds: readonly RoundProgress[];
  readonly history: readonly HistoryItem[];
  /** Every place without an outcome whose turn it is, paused or not. Empty after the end. */
  readonly open: readonly Command[];
  /** What is to be done now: the open places; empty while paused. */
  readonly commands: readonly Command[];
  /** What is to be written now: at most one, after which the state is surveyed again. */
  readonly fact: Fact | undefined;
  /** By the place of a feedback repair. */
  readonly brokenPrograms: ReadonlyMap<string, BrokenProgram>;
  readonly notices: readonly string[];
}
