// How far a run's feedback program has come: asked at the start, repaired when it has no class or fails on a trajectory,
// replaced by the built-in summary when it stays broken. Owns that loop across rounds; knows nothing of candidates.
import { types } from "@promptpo/contracts";
import { builtinFeedback } from "./builtin-feedback.ts";
import { noSource } from "./candidate-progress.ts";
import type { Command } from "./command.ts";
import { sourceIn } from "./extract-python.ts";
import { answerIn, type LogState, outcomeAt, outcomesOfRound, summaryIn } from "./log-state.ts";
import { FEEDBACK_PLACE, roundPlace } from "./place.ts";

export interface Program {
  readonly source: string;
  /** True once the built-in summary stands in. */
  readonly builtin: boolean;
}

/** What a repair is told: the source that failed (undefined: the answer held none) and how. */
export interface BrokenProgram {
  readonly source: string | undefined;
  readonly error: types.PolicyError;
}

export interface WinnerSummary {
  readonly lines: readonly string[];
  readonly withheld: boolean;
}

/** The program's way through a run. Its methods are called in the order of the rounds and leave behind what is to be done. */
export class FeedbackProgress {
  /** By the place of the repair that was or is to be asked. */
  readonly repairs = new Map<string, BrokenProgram>();
  readonly notices: string[] = [];
  #state: LogState;
  #program: Program | undefined;
  #repairsUsed = 0;

  constructor(state: LogState) {
    this.#state = state;
  }

  /** The program before the first round; a command while it is being asked for. */
  begin(): Command | undefined {
    const answer = answerIn(outcomesOfRound(this.#state, 0), FEEDBACK_PLACE);
    if (answer === undefined) return { kind: "model", place: FEEDBACK_PLACE, ask: "feedback", sampleIndex: 0 };
    return this.#take(answer.completion, 0, FEEDBACK_PLACE);
  }

  /** The summary of a round's winner, or the command that leads to it. */
  summarize(round: number, policySource: string): WinnerSummary | Command {
    const outcomes = outcomesOfRound(this.#state, round);
    for (let attempt = 0; ; attempt += 1) {
      const program = this.#program;
      if (program === undefined) throw new TypeError("a feedback program summarizes before it exists");
      const place = roundPlace(round, "summary", attempt);
      const summarized = summaryIn(outcomes, place);
      if (summarized === undefined) {
        if (this.#state.closed !== undefined) return { lines: [], withheld: true };
        const { trainSeeds: seeds } = this.#state.settings;
        return { kind: "summarize", place, feedbackSource: program.source, policySource, seeds };
      }
      const { error } = summarized;
      if (error === undefined) return { lines: summarized.lines, withheld: false };
      if (error.kind === types.PolicyError_Kind.KIND_UNSPECIFIED) {
        this.notices.push(`round ${round} has no summary of its winner: ${error.message}`);
        return { lines: [], withheld: false };
      }
      if (program.builtin) {
        this.notices.push(`round ${round}: the built-in summary failed: ${error.message}`);
        return { lines: [], withheld: false };
      }
      const command = this.#mend({ source: program.source, error }, round, place);
      if (command !== undefined) return command;
    }
  }

  /** Takes the program out of an answer; asks for repairs as long as there is none. */
  #take(answer: { readonly text: string } | undefined, round: number, place: string): Command | undefined {
    if (answer === undefined) return this.#fallBack("the model call for it failed");
    const extraction = sourceIn(answer, { className: "Feedback", method: "summarize_trajectory" });
    if (extraction.ok) {
      this.#program = { source: extraction.source, builtin: false };
      return undefined;
    }
    return this.#mend({ source: undefined, error: noSource(extraction.message) }, round, place);
  }

  /** The next repair: its command while it is asked for, undefined once there is a program (or the stand-in). */
  #mend(broken: BrokenProgram, round: number, failedPlace: string): Command | undefined {
    if (this.#repairsUsed >= this.#state.settings.maxFeedbackRepairs)
      return this.#fallBack(`it stayed broken after ${this.#repairsUsed} repairs: ${broken.error.message}`);
    if (outcomeAt(this.#state, failedPlace)?.closed !== undefined) return this.#fallBack("the run's budget ended");
    this.#repairsUsed += 1;
    const place = roundPlace(round, "feedback-repair", this.#repairsUsed);
    this.repairs.set(place, broken);
    const answer = answerIn(outcomesOfRound(this.#state, round), place);
    if (answer === undefined) return { kind: "model", place, ask: "feedback-repair", sampleIndex: 0 };
    return this.#take(answer.completion, round, place);
  }

  #fallBack(why: string): undefined {
    this.#program = { source: builtinFeedback(this.#state.environment), builtin: true };
    this.notices.push(`the model's feedback program is replaced by the built-in summary: ${why}`);
  }
}
