// What a run does in each situation of the algorithm: repairs, feedback programs, rounds that go wrong, ends.
import { durationFromMs, llm, optimizer, types } from "@promptpo/contracts";
import { describe, expect, it } from "vitest";
import { basicCandidate, candidatesOf, fullCandidate } from "./candidate-view.ts";
import type { Command } from "./command.ts";
import { basicView, runView } from "./run-view.ts";
import { survey } from "./survey.ts";
import { answered, at, block, created, MemoryRun, World } from "./testing/world.ts";

type Kind = NonNullable<optimizer.Event["kind"]>;
type Given = Parameters<typeof created>[0];

const policy = (value: number, mark = "") =>
  answered(block(`class ToyPolicy:\n    # value ${value} ${mark}\n    x = 1`));
const raising = answered(block("class ToyPolicy:\n    # raises\n    x = 1"));
const refused = optimizer.ModelAnswered.fromPartial({ errorReason: "PROVIDER_REFUSED", errorMessage: "no such key" });
const model = (value: optimizer.ModelAnswered): Kind => ({ $case: "modelAnswered", value });
const facts = { tenant: "default", displayName: "", started: true, waitsFor: "" };

/** Plays a run: `script` overrides the good world's answers by place. */
function play(
  given: Given,
  script: Record<string, Kind | ((command: Command) => Kind)> = {},
  until?: string,
): MemoryRun {
  const world = new World({ seed: 1 });
  const run = new MemoryRun(created(given));
  for (let command = run.commands[0]; command !== undefined; command = run.commands[0]) {
    if (command.place === until) return run;
    const own = script[command.place];
    run.put(command.place, own === undefined ? world.outcome(command) : typeof own === "function" ? own(command) : own);
  }
  return run;
}
const places = (run: MemoryRun) => run.events.map(({ place }) => place);
const waiting = (run: MemoryRun) => run.commands.map(({ place }) => place);
const end = (run: MemoryRun) => run.state.ended?.event;
const one = { rounds: 1, candidates: 1, feedbackProgram: false } as const;

describe("a run's start", () => {
  it("asks for the feedback program and every candidate at once", () => {
    const run = new MemoryRun(created({ candidates: 3 }));
    expect(waiting(run)).toEqual(["r0/all/feedback/0", "r1/c00/policy/0", "r1/c01/policy/0", "r1/c02/policy/0"]);
    expect(run.commands.map((command) => (command.kind === "model" ? command.sampleIndex : -1))).toEqual([0, 0, 1, 2]);
  });

  it("asks for no program where none is wanted", () => {
    expect(waiting(new MemoryRun(created({ candidates: 1, feedbackProgram: false })))).toEqual(["r1/c00/policy/0"]);
  });
});

describe("a whole run", () => {
  it("goes round by round: candidates, winner's summary, reflection, held-out evaluation", () => {
    const run = play({ rounds: 2, candidates: 1 });
    expect(places(run)).toEqual([
      "r0/all/created/0",
      "r0/all/feedback/0",
      "r1/c00/policy/0",
      "r1/c00/evaluation/0",
      "r1/all/summary/0",
      "r1/all/ended/0",
      "r2/all/reflection/0",
      "r2/c00/policy/0",
      "r2/c00/evaluation/0",
      "r2/all/summary/0",
      "r2/all/ended/0",
      "final/all/heldout/0",
      "final/all/ended/0",
    ]);
    expect(end(run)).toMatchObject({ state: optimizer.RunState.RUN_STATE_SUCCEEDED, cause: "" });
    expect(end(run)?.result?.heldoutScore?.episodes.map(({ seed }) => seed)).toEqual([9n]);
  });

  it("shows views without what is large", () => {
    const run = play({ rounds: 2, candidates: 2 });
    const view = runView(run.state, facts);
    expect(view).toMatchObject({ round: 2, lastSequence: BigInt(run.events.length) });
    expect(view.rounds.map(({ reflection }) => reflection)).toEqual(["Reflection at r2/all/reflection/0.", ""]);
    expect(view.rounds[0]?.winnerScore?.episodes).toHaveLength(2);
    expect(basicView(view).rounds[0]?.winnerScore).toMatchObject({ episodes: [] });
    expect(basicView(view).result).toMatchObject({ source: "", candidateId: view.result?.candidateId });
    expect(view.usage).toMatchObject({
      callCount: 6n,
      heldoutSteps: 20n,
      trainEpisodes: 8n,
      cost: { known: true, microUsd: 60n },
    });
  });

  it("asks without reflection where that is off", () => {
    const run = play({ rounds: 2, candidates: 1, reflection: false });
    expect(places(run).some((place) => place.includes("reflection"))).toBe(false);
  });

  it("returns the best winner of all rounds, or the last one as published", () => {
    const script = { "r1/c00/policy/0": model(policy(5)), "r2/c00/policy/0": model(policy(2)) };
    expect(end(play({ rounds: 2, candidates: 1 }, script))?.result?.round).toBe(1);
    const final = optimizer.FinalRule.FINAL_RULE_LAST_ROUND;
    expect(end(play({ rounds: 2, candidates: 1, final }, script))?.result?.round).toBe(2);
  });
});

describe("a candidate that fails", () => {
  it("is repaired until it works", () => {
    const run = play(one, { "r1/c00/policy/0": model(raising), "r1/c00/policy-repair/1": model(answered("No code.")) });
    expect(places(run).slice(1, 7)).toEqual([
      "r1/c00/policy/0",
      "r1/c00/evaluation/0",
      "r1/c00/policy-repair/1",
      "r1/c00/policy-repair/2",
      "r1/c00/evaluation/2",
      "r1/all/ended/0",
    ]);
    const [entry] = candidatesOf(run.state);
    if (entry === undefined) throw new Error("no candidate");
    const candidate = fullCandidate(run.state, entry.round, entry.candidate);
    expect(candidate.attempts.map(({ error }) => error?.kind)).toEqual([
      types.PolicyError_Kind.KIND_EXCEPTION,
      types.PolicyError_Kind.KIND_NO_CLASS,
      undefined,
    ]);
    expect(candidate).toMatchObject({ winner: true, usage: { callCount: 3n, trainSteps: 42n } });
    expect(basicCandidate(run.state, entry.round, entry.candidate)).toMatchObject({ source: "", attempts: [] });
  });

  it("is FAILED after max_repairs, and the round goes on without it", () => {
    const script = { "r1/c00/policy/0": model(raising), "r1/c00/policy-repair/1": model(raising) };
    const run = play({ rounds: 1, candidates: 2, maxRepairs: 1 }, script);
    expect(places(run)).not.toContain("r1/c00/policy-repair/2");
    expect(runView(run.state, facts).rounds[0]).toMatchObject({
      scoredCount: 1,
      failedCount: 1,
      winnerId: "run-test/r1/c01",
    });
  });

  it("is FAILED, and not the run, when its model call fails for good", () => {
    const run = play({ rounds: 1, candidates: 2 }, { "r1/c00/policy/0": model(refused) });
    expect(survey(run.state).rounds[0]?.candidates[0]).toMatchObject({
      state: "failed",
      failure: "PROVIDER_REFUSED",
      cause: "the model call failed: PROVIDER_REFUSED: no such key",
    });
    expect(end(run)?.state).toBe(optimizer.RunState.RUN_STATE_SUCCEEDED);
  });

  it("does not win with a NaN return", () => {
    const script = { "r1/c00/policy/0": model(answered(block("class ToyPolicy:\n    # nan\n    x = 1"))) };
    expect(end(play({ ...one, candidates: 2 }, script))?.result?.candidateId).toBe("run-test/r1/c01");
  });
});

describe("rounds without a winner", () => {
  it("are followed by another from the same history, with the failures in its briefing", () => {
    const given = { rounds: 3, candidates: 1, maxRepairs: 0 };
    const run = play(given, { "r2/c00/policy/0": model(raising) }, "r3/c00/policy/0");
    expect(places(run)).not.toContain("r3/all/reflection/0");
    const briefing = survey(run.state).rounds[2]?.briefing;
    expect(briefing?.history.map(({ round, reflection }) => [round, reflection])).toEqual([
      [1, "Reflection at r2/all/reflection/0."],
    ]);
    expect(briefing?.failures.map(({ message }) => message)).toEqual(["ValueError: boom"]);
  });

  it("end the run FAILED with their causes when there are two in a row, with the result so far", () => {
    const given = { rounds: 5, candidates: 1, maxRepairs: 0 };
    const run = play(given, { "r2/c00/policy/0": model(raising), "r3/c00/policy/0": model(refused) });
    expect(end(run)).toMatchObject({
      state: optimizer.RunState.RUN_STATE_FAILED,
      cause:
        "2 rounds in a row had no working candidate: r2/c00: ValueError: boom; r3/c00: the model call failed: PROVIDER_REFUSED: no such key",
      result: { round: 1 },
    });
    expect(end(run)?.result?.heldoutScore).toBeDefined();
  });

  it("end a run of one round FAILED, without a result", () => {
    const run = play({ ...one, maxRepairs: 0 }, { "r1/c00/policy/0": model(raising) });
    expect(end(run)).toMatchObject({ state: optimizer.RunState.RUN_STATE_FAILED, result: undefined });
    expect(end(run)?.cause).toContain("the only round had no working candidate: r1/c00: ValueError: boom");
  });
});

describe("the feedback program", () => {
  const summaryError: Kind = {
    $case: "trajectoriesSummarized",
    value: optimizer.TrajectoriesSummarized.fromPartial({
      error: { kind: types.PolicyError_Kind.KIND_EXCEPTION, message: "KeyError: 1" },
    }),
  };

  it("is repaired when its answer holds none, before the first round ends", () => {
    const run = play({ rounds: 1, candidates: 1 }, { "r0/all/feedback/0": model(answered("No.")) });
    expect(places(run)).toContain("r0/all/feedback-repair/1");
    expect(runView(run.state, facts).notices).toEqual([]);
  });

  it("is repaired when it fails on a trajectory, and the repaired one goes on", () => {
    const run = play({ rounds: 2, candidates: 1 }, { "r1/all/summary/0": summaryError });
    expect(places(run)).toEqual(
      expect.arrayContaining(["r1/all/feedback-repair/1", "r1/all/summary/1", "r2/all/summary/0"]),
    );
    const repaired = (command: Command | undefined) => command?.kind === "summarize" && command.feedbackSource;
    const later = play({ rounds: 2, candidates: 1 }, { "r1/all/summary/0": summaryError }, "r2/all/summary/0");
    expect(repaired(later.commands[0])).toContain("r1/all/feedback-repair/1");
  });

  it("is replaced by the built-in summary, with a notice, when it stays broken", () => {
    const script = { "r1/all/summary/0": summaryError, "r1/all/summary/1": summaryError };
    const run = play({ rounds: 2, candidates: 1, maxFeedbackRepairs: 1 }, script);
    expect(places(run)).toEqual(expect.arrayContaining(["r1/all/summary/2", "r2/all/summary/0"]));
    expect(places(run)).not.toContain("r2/all/feedback-repair/2");
    expect(runView(run.state, facts).notices).toEqual([
      "the model's feedback program is replaced by the built-in summary: it stayed broken after 1 repairs: KeyError: 1",
    ]);
  });

  it("is replaced when its model call fails for good", () => {
    const run = play({ rounds: 1, candidates: 1 }, { "r0/all/feedback/0": model(refused) }, "r1/all/summary/0");
    const [command] = run.commands;
    expect(command?.kind === "summarize" && command.feedbackSource).toContain('FIELDS = ("x",)');
  });

  it("leaves a round without lines when the rollout service could not run it", () => {
    const value = optimizer.TrajectoriesSummarized.fromPartial({ error: { message: "SIMULATOR_FAILED: x" } });
    const run = play({ rounds: 1, candidates: 1 }, { "r1/all/summary/0": { $case: "trajectoriesSummarized", value } });
    expect(end(run)?.state).toBe(optimizer.RunState.RUN_STATE_SUCCEEDED);
    expect(runView(run.state, facts).notices).toEqual(["round 1 has no summary of its winner: SIMULATOR_FAILED: x"]);
  });
});

describe("the other strategies", () => {
  it("best-of-n asks every answer from the task prompt, each as a sample of its own", () => {
    const run = play({ rounds: 2, candidates: 2, strategy: "best-of-n" });
    expect(places(run).some((place) => /feedback|reflection|summary/.test(place))).toBe(false);
    expect(survey(run.state).rounds[1]?.briefing).toEqual({ history: [], failures: [] });
    const second = play({ rounds: 2, candidates: 2, strategy: "best-of-n" }, {}, "r2/c00/policy/0");
    expect(second.commands.map((command) => command.kind === "model" && command.sampleIndex)).toEqual([2, 3]);
  });

  it("sequential asks as many answers one after another", () => {
    const run = play({ rounds: 2, candidates: 2, strategy: "sequential", reflection: false, feedbackProgram: false });
    expect(places(run).filter((place) => place.includes("/policy/"))).toEqual([
      "r1/c00/policy/0",
      "r2/c00/policy/0",
      "r3/c00/policy/0",
      "r4/c00/policy/0",
    ]);
  });
});

describe("controls", () => {
  it("cancel ends the run at once, with the result so far and no held-out evaluation", () => {
    const run = play({ rounds: 3, candidates: 2 }, {}, "r2/c00/policy/0");
    expect(run.steer(optimizer.RunControlled_Action.ACTION_CANCEL, "seen enough")).toBe(true);
    expect(end(run)).toMatchObject({
      state: optimizer.RunState.RUN_STATE_CANCELLED,
      cause: "cancelled: seen enough",
      result: { round: 1, heldoutScore: undefined },
    });
    expect(places(run).slice(-2)).toEqual(["control/0", "final/all/ended/0"]);
    expect(run.put("r2/c00/policy/0", model(policy(1)))).toBe(false);
    expect(run.steer(optimizer.RunControlled_Action.ACTION_CANCEL)).toBe(false);
    expect(runView(run.state, facts).candidateCounts).toEqual([
      { state: optimizer.CandidateState.CANDIDATE_STATE_CANCELLED, count: 2 },
    ]);
  });

  it("pause asks for nothing new, takes what is under way, and resume goes on", () => {
    const world = new World({ seed: 1 });
    const run = new MemoryRun(created({ ...one, candidates: 2 }));
    const [first, second] = run.commands;
    if (first === undefined || second === undefined) throw new Error("two commands expected");
    run.steer(optimizer.RunControlled_Action.ACTION_PAUSE);
    expect(run.commands).toEqual([]);
    expect(run.put(first.place, world.outcome(first))).toBe(true);
    expect(run.commands).toEqual([]);
    expect(runView(run.state, facts).state).toBe(optimizer.RunState.RUN_STATE_PAUSED);
    const open = survey(run.state).open.map(({ place }) => place);
    run.asked.clear(); // A resumed run asks again for what was asked for before: the queue knows it already.
    run.steer(optimizer.RunControlled_Action.ACTION_RESUME);
    expect(waiting(run)).toEqual(open);
  });
});

describe("a budget", () => {
  const stopped = optimizer.RunState.RUN_STATE_STOPPED_BY_BUDGET;

  it("of tokens lets a round's answers come in, and stops before the next round", () => {
    const run = play({ rounds: 3, candidates: 3, budget: { tokens: 450n } });
    expect(places(run)).not.toContain("r2/all/reflection/0");
    expect(runView(run.state, facts).rounds[0]).toMatchObject({ scoredCount: 3 });
    expect(end(run)).toMatchObject({
      state: stopped,
      cause: "the run's budget of 450 tokens is used: 600 taken",
      result: { round: 1 },
    });
    expect(end(run)?.result?.heldoutScore).toBeDefined();
  });

  it("asks for no repair once it is used", () => {
    const script = { "r1/c00/policy/0": model(raising) };
    const run = play({ rounds: 3, candidates: 2, budget: { microUsd: 10n }, feedbackProgram: false }, script);
    expect(places(run)).not.toContain("r1/c00/policy-repair/1");
    expect(survey(run.state).rounds[0]?.candidates[0]).toMatchObject({ state: "failed", failure: "BUDGET" });
    expect(end(run)?.state).toBe(stopped);
  });

  it("of steps counts training episodes", () => {
    const run = play({ rounds: 3, candidates: 1, feedbackProgram: false, budget: { steps: 40n } });
    expect(end(run)?.cause).toBe("the run's budget of 40 environment steps is used: 40 taken");
  });

  it("of wall time is read from the events, and takes no time for a held-out evaluation", () => {
    const run = new MemoryRun(
      created({ rounds: 3, candidates: 1, feedbackProgram: false, budget: { wallTime: durationFromMs(60_000) } }),
    );
    const world = new World({ seed: 1 });
    for (let command = run.commands[0]; command !== undefined; command = run.commands[0])
      run.put(command.place, world.outcome(command), command.kind === "evaluate" ? 61 : 1);
    expect(end(run)).toMatchObject({ state: stopped, cause: "the run's 60 s of wall time are over" });
    expect(end(run)?.result?.heldoutScore).toBeUndefined();
  });

  it("of the gateway ends the run as well", () => {
    const spent = optimizer.ModelAnswered.fromPartial({ errorReason: "BUDGET_EXHAUSTED", errorMessage: "spent" });
    const run = play({ rounds: 3, candidates: 2, feedbackProgram: false }, { "r2/c00/policy/0": model(spent) });
    expect(end(run)).toMatchObject({ state: stopped, cause: "the llm-gateway's budget is spent" });
  });

  it("that is met by the last round's last answer stops nothing", () => {
    const run = play({ ...one, budget: { tokens: 150n } });
    expect(end(run)?.state).toBe(optimizer.RunState.RUN_STATE_SUCCEEDED);
  });

  it("of money cannot be kept without prices, and says so", () => {
    const run = play(
      { ...one, budget: { microUsd: 1n } },
      {
        "r1/c00/policy/0": model(
          answered(block("class ToyPolicy:\n    # value 1\n    x = 1"), { cost: { known: false } }),
        ),
      },
    );
    expect(runView(run.state, facts)).toMatchObject({
      usage: { cost: { known: false } },
      notices: ["the money budget cannot be kept: the price of some answers is unknown"],
    });
  });
});

describe("recorded answers", () => {
  it("are named in the notices, and unpriced", () => {
    const recorded = (match: llm.RecordedAnswer_Match) => ({
      source: llm.Completion_Source.SOURCE_RECORDING,
      cost: { known: false },
      usage: { promptTokens: 1n, estimated: true },
      recorded: { model: "wise-1", date: "2026-11-02", match, difference: "- a\n+ b" },
    });
    const { MATCH_MASKED_NUMBERS, MATCH_PLACE } = llm.RecordedAnswer_Match;
    const script = {
      "r1/c00/policy/0": model(answered(block("class ToyPolicy:\n    # value 1\n    x = 1"), recorded(MATCH_PLACE))),
      "r1/c01/policy/0": model(
        answered(block("class ToyPolicy:\n    # value 2\n    x = 1"), recorded(MATCH_MASKED_NUMBERS)),
      ),
    };
    const view = runView(play({ ...one, candidates: 2 }, script).state, facts);
    expect(view.notices).toEqual([
      "recorded answers from wise-1, 2026-11-02",
      "1 recorded answer was given to prompts that differ from ours in numbers only",
      "the recorded answer of r1/c00/policy/0 was given to another prompt: - a\n+ b",
      "token counts are estimates: nobody counted them",
    ]);
    expect(view.usage).toMatchObject({ callCount: 2n, freeCallCount: 2n, cost: { known: false, microUsd: 0n } });
  });
});

describe("a run's state for people", () => {
  it("is QUEUED until a worker has taken it up, then RUNNING, and says what it waits for", () => {
    const run = new MemoryRun(created());
    expect(runView(run.state, { ...facts, started: false })).toMatchObject({
      state: optimizer.RunState.RUN_STATE_QUEUED,
      round: 0,
    });
    expect(runView(run.state, { ...facts, waitsFor: "waits for x" })).toMatchObject({
      state: optimizer.RunState.RUN_STATE_RUNNING,
      round: 1,
      cause: "waits for x",
      createTime: at(0),
    });
  });
});
