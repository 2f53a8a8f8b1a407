// Reads a run's state as the algorithm does: round by round, up to what has no outcome yet. That is what is to be done.
// Pure and repeatable: nothing is remembered but the state, so a crash, a replay or a second replica sees the same.
import { optimizer } from "@promptpo/contracts";
import { closureCause } from "./budget.ts";
import { candidateId } from "./candidate-id.ts";
import { type CandidateProgress, candidateProgress } from "./candidate-progress.ts";
import type { Command } from "./command.ts";
import { type FeedbackProgress as Feedback, FeedbackProgress } from "./feedback-progress.ts";
import { answerIn, type Closure, evaluationIn, type LogState, outcomeAt, outcomesOfRound } from "./log-state.ts";
import { candidateName, HELDOUT_PLACE, RUN_ENDED_PLACE, roundPlace } from "./place.ts";
import type { Fact, HistoryItem, Progress, RoundProgress } from "./progress.ts";
import { type Score, scoreMessage, scoreOf } from "./score.ts";
import { bestOf } from "./selection.ts";
import { type Strategy, strategyOf } from "./strategy.ts";

const remembered = new WeakMap<LogState, Progress>();

/** The progress of a state. States never change, so each is surveyed once. */
export function survey(state: LogState): Progress {
  const known = remembered.get(state);
  if (known !== undefined) return known;
  const progress = new Survey(state).make();
  remembered.set(state, progress);
  return progress;
}

/** What is to be done next in the world outside. Never names a place that has an outcome. */
export function decide(state: LogState): readonly Command[] {
  return survey(state).commands;
}

type End = { readonly state: optimizer.RunState; readonly cause: string; readonly heldout: boolean };

class Survey {
  readonly #state: LogState;
  readonly #strategy: Strategy;
  readonly #feedback: Feedback | undefined;
  readonly #rounds: RoundProgress[] = [];
  readonly #history: HistoryItem[] = [];
  readonly #commands: Command[] = [];
  readonly #notices: string[] = [];
  #fact: Fact | undefined;
  #withheld = false;

  constructor(state: LogState) {
    this.#state = state;
    this.#strategy = strategyOf(state.settings);
    if (state.settings.feedbackProgram && this.#strategy.learns) this.#feedback = new FeedbackProgress(state);
  }

  make(): Progress {
    const { cancelled, ended, paused } = this.#state;
    const end = this.#walkRounds();
    if (ended === undefined) {
      if (cancelled !== undefined) {
        const cause = cancelled.reason === "" ? "cancelled" : `cancelled: ${cancelled.reason}`;
        this.#end({ state: optimizer.RunState.RUN_STATE_CANCELLED, cause, heldout: false });
      } else if (end !== undefined) this.#end(end);
    }
    const open = ended !== undefined || cancelled !== undefined ? [] : this.#commands;
    return {
      rounds: this.#rounds,
      history: this.#history,
      open,
      commands: paused ? [] : open,
      fact: ended === undefined ? this.#fact : undefined,
      brokenPrograms: this.#feedback?.repairs ?? new Map(),
      notices: [...(this.#feedback?.notices ?? []), ...this.#notices],
    };
  }

  /** How the run ends, once nothing more is to be asked for in its rounds. */
  #walkRounds(): End | undefined {
    const { rounds } = this.#strategy.shape(this.#state.settings);
    const programCommand = this.#feedback?.begin();
    if (programCommand !== undefined) this.#commands.push(programCommand);
    let barren = 0;
    for (let number = 1; number <= rounds; number += 1) {
      const round = this.#walkRound(number, programCommand === undefined);
      if (typeof round === "string") return this.#stopped(round);
      this.#rounds.push(round);
      if (round.ended === undefined) return undefined;
      barren = round.winner === undefined ? barren + 1 : 0;
      const closed = outcomeAt(this.#state, roundPlace(number, "ended", 0))?.closed;
      if (closed !== undefined && (number < rounds || this.#withheld)) return this.#stopped(closed);
      if (barren >= this.#strategy.barrenRoundsMost(this.#state.settings)) return this.#failed(barren);
    }
    if (this.#history.length === 0) return this.#failed(barren);
    return { state: optimizer.RunState.RUN_STATE_SUCCEEDED, cause: "", heldout: true };
  }

  /** One round as far as it has come; the limit that was met where the budget forbids to begin it. */
  #walkRound(number: number, programKnown: boolean): RoundProgress | Closure {
    const { settings } = this.#state;
    const previous = this.#rounds.at(-1);
    const failures =
      this.#strategy.learns && previous !== undefined && previous.winner === undefined
        ? previous.candidates.flatMap(({ error }) => (error === undefined ? [] : [error]))
        : [];
    const before = { history: this.#strategy.learns ? [...this.#history] : [], failures };
    const round: RoundProgress = {
      number,
      before,
      briefing: undefined,
      candidates: [],
      winner: undefined,
      feedback: [],
      ended: undefined,
    };

    const reflected = this.#reflect(number);
    if (reflected === "asking") return round;
    if (reflected !== undefined) return reflected;
    const briefing = { history: this.#strategy.learns ? [...this.#history] : [], failures };

    const { candidates: count } = this.#strategy.shape(settings);
    const candidates = Array.from({ length: count }, (_, index) =>
      candidateProgress(this.#state, this.#strategy, number, index),
    );
    for (const { command, withheld } of candidates) {
      if (command !== undefined) this.#commands.push(command);
      this.#withheld ||= withheld;
    }
    if (!programKnown || candidates.some(({ command }) => command !== undefined))
      return { ...round, briefing, candidates };

    const winner = bestOf(
      candidates.map(({ score }) => score),
      settings,
    );
    let feedback: readonly string[] = [];
    const best = winner === undefined ? undefined : candidates[winner];
    if (best?.source !== undefined && best.score !== undefined) {
      const summary = this.#feedback?.summarize(number, best.source);
      if (summary !== undefined && "kind" in summary) {
        this.#commands.push(summary);
        return { ...round, briefing, candidates, winner };
      }
      feedback = summary?.lines ?? [];
      this.#withheld ||= summary?.withheld ?? false;
      const { index, source, score } = best;
      this.#history.push({ round: number, index, source, score, feedback, reflection: undefined });
    }
    return {
      ...round,
      briefing,
      candidates,
      winner,
      feedback,
      ended: this.#endRound(number, candidates, best, feedback),
    };
  }

  /** The reflection at a round's start, put into the history. "asking" while it is awaited; a limit that was met after it. */
  #reflect(number: number): "asking" | Closure | undefined {
    const latest = this.#history.at(-1);
    if (!this.#state.settings.reflection || !this.#strategy.learns || latest?.round !== number - 1) return undefined;
    const place = roundPlace(number, "reflection", 0);
    const answer = answerIn(outcomesOfRound(this.#state, number), place);
    if (answer === undefined) {
      this.#commands.push({ kind: "model", place, ask: "reflection", sampleIndex: 0 });
      return "asking";
    }
    const reflection = answer.completion?.text.trim() || undefined;
    if (reflection === undefined) {
      const why = answer.completion === undefined ? answer.errorReason : "the answer is empty";
      this.#notices.push(`round ${number} is asked without a reflection: ${why}`);
    }
    this.#history[this.#history.length - 1] = { ...latest, reflection };
    return outcomeAt(this.#state, place)?.closed;
  }

  /** The fact that ends a round: the one in the log, else the one to be written. */
  #endRound(
    number: number,
    candidates: readonly CandidateProgress[],
    winner: CandidateProgress | undefined,
    feedback: readonly string[],
  ): optimizer.Round | undefined {
    const place = roundPlace(number, "ended", 0);
    const kind = outcomeAt(this.#state, place)?.kind;
    if (kind?.$case === "roundEnded") return kind.value.round;
    const { runId, tally } = this.#state;
    const round = optimizer.Round.fromPartial({
      number,
      winnerId: winner === undefined ? "" : candidateId({ runId, round: number, index: winner.index }),
      scoredCount: candidates.filter((candidate) => candidate.state === "scored").length,
      failedCount: candidates.filter((candidate) => candidate.state === "failed").length,
      feedback: [...feedback],
      trainStepsTotal: tally.trainSteps,
      callCountTotal: tally.calls,
    });
    if (winner?.score !== undefined) round.winnerScore = scoreMessage(winner.score);
    this.#fact = { place, kind: { $case: "roundEnded", value: { round } } };
    return undefined;
  }

  #stopped(closed: Closure): End {
    return {
      state: optimizer.RunState.RUN_STATE_STOPPED_BY_BUDGET,
      cause: closureCause(this.#state, closed),
      // A run whose time is over does not take more of it.
      heldout: closed !== "wall_time",
    };
  }

  #failed(barren: number): End {
    // Candidates that failed alike are told once.
    const failed = new Map<string, string[]>();
    for (const { number, candidates } of this.#rounds.slice(-barren))
      for (const { index, error, cause } of candidates) {
        const why = error === undefined ? (cause ?? "its returns are no finite numbers") : error.message;
        failed.set(why, [...(failed.get(why) ?? []), `r${number}/${candidateName(index)}`]);
      }
    const causes = [...failed].map(([why, names]) => `${named(names)}: ${why}`);
    const rounds = barren === 1 ? "the only round had" : `${barren} rounds in a row had`;
    return {
      state: optimizer.RunState.RUN_STATE_FAILED,
      cause: `${rounds} no working candidate: ${causes.join("; ")}`,
      heldout: true,
    };
  }

  /** Ends the run: with the held-out evaluation of its result first, where there is a result and time for it. */
  #end({ state, cause, heldout }: End): void {
    const best = this.#result();
    let heldoutScore: Score | undefined;
    if (best !== undefined) {
      const evaluated = evaluationIn(outcomesOfRound(this.#state, "final"), HELDOUT_PLACE);
      if (evaluated === undefined && heldout) {
        const { heldoutSeeds: seeds } = this.#state.settings;
        this.#commands.push({ kind: "evaluate", place: HELDOUT_PLACE, source: best.source, seeds });
        return;
      }
      if (evaluated?.errorReason === "") heldoutScore = scoreOf(evaluated.episodes);
      else if (evaluated !== undefined)
        this.#notices.push(`the result has no held-out score: ${evaluated.errorReason}: ${evaluated.errorMessage}`);
    }
    const result = best === undefined ? undefined : this.#resultMessage(best, heldoutScore);
    this.#fact = { place: RUN_ENDED_PLACE, kind: { $case: "runEnded", value: { state, cause, result } } };
  }

  #result(): HistoryItem | undefined {
    if (this.#state.settings.final === "last_round") return this.#history.at(-1);
    const best = bestOf(
      this.#history.map(({ score }) => score),
      this.#state.settings,
    );
    return best === undefined ? undefined : this.#history[best];
  }

  #resultMessage(best: HistoryItem, heldoutScore: Score | undefined): optimizer.RunResult {
    const { runId } = this.#state;
    return {
      candidateId: candidateId({ runId, round: best.round, index: best.index }),
      source: best.source,
      selectionScore: scoreMessage(best.score),
      heldoutScore: heldoutScore === undefined ? undefined : scoreMessage(heldoutScore),
      round: best.round,
    };
  }
}

const NAMES_MOST = 3;

function named(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_MOST).join(", ");
  return names.length > NAMES_MOST ? `${shown} and ${names.length - NAMES_MOST} more` : shown;
}
