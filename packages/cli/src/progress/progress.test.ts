import { llm, optimizer, timestampFromDate, types } from "@promptpo/contracts";
import { expect, test } from "vitest";
import { foldProgress, hasEnded, noProgress, type Progress, shareDone } from "./progress.ts";
import { eventLines, regionLines, timeLeftMs } from "./progress-lines.ts";

const state = optimizer.CandidateState;

function runAt(part: Partial<optimizer.Run>): optimizer.Run {
  return optimizer.Run.fromPartial({
    id: "run-1",
    state: optimizer.RunState.RUN_STATE_RUNNING,
    round: 1,
    settings: {
      environment: "door-open-v3",
      model: "a-model",
      rounds: 2,
      candidates: 2,
      selection: types.Selection.SELECTION_MEAN_SUCCESS,
    },
    createTime: timestampFromDate(new Date(0)),
    ...part,
  });
}

function evaluated(sequence: bigint, place: string, returns: readonly number[], successes: number, run: optimizer.Run) {
  const episodes = returns.map((returnValue, at) => ({ seed: BigInt(at), returnValue, success: at < successes }));
  return optimizer.WatchRunResponse.fromPartial({
    event: { sequence, place, kind: { $case: "policyEvaluated", value: { episodes } } },
    run,
  });
}

function answered(sequence: bigint, place: string, match: llm.RecordedAnswer_Match, difference = "") {
  const recorded = { model: "true-name", date: "2026-11-24", match, difference };
  return optimizer.WatchRunResponse.fromPartial({
    event: { sequence, place, kind: { $case: "modelAnswered", value: { completion: { recorded } } } },
    run: runAt({}),
  });
}

function folded(messages: readonly optimizer.WatchRunResponse[]): { progress: Progress; lines: string[] } {
  let progress = noProgress;
  const lines: string[] = [];
  for (const message of messages) {
    progress = foldProgress(progress, message);
    lines.push(...eventLines(message, progress));
  }
  return { progress, lines };
}

test("the best is found by the run's own criterion: success before return, ties to the earlier", () => {
  const { progress, lines } = folded([
    evaluated(1n, "r1/c00/evaluation/0", [900, 900], 0, runAt({})),
    evaluated(2n, "r1/c01/evaluation/0", [10, 20], 1, runAt({})),
    evaluated(3n, "r2/c00/evaluation/0", [10, 20], 1, runAt({ round: 2 })),
  ]);
  expect(progress.best).toMatchObject({ candidate: "r1/c01", meanReturn: 15, successRate: 0.5 });
  expect(lines).toEqual([
    "r1/c00: return 900, success 0.00, the best so far",
    "r1/c01: return 15, success 0.50, the best so far",
    "r2/c00: return 15, success 0.50",
  ]);
});

test("a failed policy is told with its seed and does not count", () => {
  const failing = optimizer.WatchRunResponse.fromPartial({
    event: {
      sequence: 1n,
      place: "r1/c00/evaluation/0",
      kind: {
        $case: "policyEvaluated",
        value: {
          episodes: [{ seed: 4n, returnValue: 1e9, error: { message: "ZeroDivisionError: division by zero" } }],
        },
      },
    },
    run: runAt({}),
  });
  const { progress, lines } = folded([failing]);
  expect(progress.best).toBeUndefined();
  expect(lines).toEqual(["r1/c00: failed on seed 4: ZeroDivisionError: division by zero"]);
});

test("an answer that was recorded for another prompt is warned of, with the difference", () => {
  const { MATCH_EXACT, MATCH_MASKED_NUMBERS, MATCH_PLACE } = llm.RecordedAnswer_Match;
  const { progress, lines } = folded([
    answered(1n, "all/feedback/0", MATCH_EXACT),
    answered(2n, "r1/c00/policy/0", MATCH_MASKED_NUMBERS, "- 1.25\n+ 1.26"),
    answered(3n, "r1/c01/policy/0", MATCH_PLACE, "- old words\n+ new words"),
  ]);
  expect(progress.recorded).toEqual({ model: "true-name", date: "2026-11-24" });
  expect(lines).toEqual([
    "r1/c00/policy/0: differs from the recorded prompt in numbers only",
    "    - 1.25",
    "    + 1.26",
    "r1/c01/policy/0: WARNING: is not the recorded prompt; the demonstration goes on with the answer recorded for this place",
    "    - old words",
    "    + new words",
  ]);
});

test("the region says round, candidates, best, what is spent with estimates marked, and the time left", () => {
  const run = runAt({
    round: 2,
    rounds: [optimizer.Round.fromPartial({ number: 1, scoredCount: 2 })],
    candidateCounts: [
      { state: state.CANDIDATE_STATE_SCORED, count: 1 },
      { state: state.CANDIDATE_STATE_EVALUATING, count: 1 },
    ],
    usage: optimizer.RunUsage.fromPartial({
      callCount: 6n,
      freeCallCount: 6n,
      tokens: { promptTokens: 10_000n, completionTokens: 2_345n, estimated: true },
      cost: { known: false },
      trainSteps: 12_500n,
    }),
  });
  const { progress } = folded([evaluated(1n, "r1/c00/evaluation/0", [10, 20], 1, run)]);
  expect(regionLines(progress, 90_000)).toEqual([
    "door-open-v3 · a-model · round 2 of 2 · running · 1:30, about 0:30 left",
    "  candidates  1 evaluating, 1 scored",
    "  best        return 15, success 0.50 (r1/c00)",
    "  spent       6 model calls (6 from cache or recording) · ~12,345 tokens (estimated) · unpriced · 12,500 environment steps",
  ]);
});

test("a round's line says what it came to and how long the rest will take, by the event's own time", () => {
  const rounds = [
    optimizer.Round.fromPartial({
      number: 1,
      scoredCount: 1,
      failedCount: 1,
      winnerId: "run-1/r1/c01",
      winnerScore: { meanReturn: 15, successRate: 0.5 },
    }),
  ];
  const message = optimizer.WatchRunResponse.fromPartial({
    event: {
      sequence: 9n,
      createTime: timestampFromDate(new Date(40_000)),
      kind: { $case: "roundEnded", value: { round: rounds[0] } },
    },
    run: runAt({
      rounds,
      usage: optimizer.RunUsage.fromPartial({
        callCount: 3n,
        cost: { known: true, microUsd: 12_300n },
        tokens: { promptTokens: 900n },
      }),
    }),
  });
  expect(folded([message]).lines).toEqual([
    "round 1 of 2 ended: 1 scored, 1 failed; winner r1/c01 with return 15, success 0.50; 3 model calls · 900 tokens · $0.0123 · 0 environment steps; about 0:40 left",
  ]);
});

test("nothing is said of the time left before a candidate has ended, nor after the run has", () => {
  expect(timeLeftMs(runAt({}), 1_000)).toBeUndefined();
  expect(timeLeftMs(runAt({ state: optimizer.RunState.RUN_STATE_SUCCEEDED }), 1_000)).toBeUndefined();
  expect(hasEnded(runAt({ state: optimizer.RunState.RUN_STATE_STOPPED_BY_BUDGET }))).toBe(true);
  expect(shareDone(runAt({ candidateCounts: [{ state: state.CANDIDATE_STATE_FAILED, count: 1 }] }))).toBe(0.25);
});
