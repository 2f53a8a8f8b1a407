// Whole runs in memory, answered by a pure world in random order: they end, and the order leaves no trace.
import { optimizer } from "@promptpo/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { apply, begin, fold } from "./apply.ts";
import { canonicalLog, logDigest } from "./canonical.ts";
import type { LogState } from "./log-state.ts";
import { decide, survey } from "./survey.ts";
import { created, MemoryRun, World, type WorldOptions } from "./testing/world.ts";

const share = fc.constantFrom(0, 0.2, 0.6);
const worlds: fc.Arbitrary<WorldOptions> = fc.record({
  seed: fc.nat(1_000_000),
  raises: share,
  noBlock: fc.constantFrom(0, 0.2),
  callFails: fc.constantFrom(0, 0.2),
  nan: fc.constantFrom(0, 0.2),
  brokenFeedback: fc.constantFrom(0, 0.7, 1),
  evaluationFails: fc.constantFrom(0, 0.3),
});
const settings = fc.record({
  rounds: fc.integer({ min: 1, max: 4 }),
  candidates: fc.integer({ min: 1, max: 4 }),
  strategy: fc.constantFrom("promptpo", "best-of-n", "sequential"),
  reflection: fc.boolean(),
  feedbackProgram: fc.boolean(),
  maxRepairs: fc.integer({ min: 0, max: 2 }),
  publishedTies: fc.boolean(),
  final: fc.constantFrom(optimizer.FinalRule.FINAL_RULE_BEST_OF_RUN, optimizer.FinalRule.FINAL_RULE_LAST_ROUND),
});
const orders = fc.infiniteStream(fc.nat(1_000_000));

function picker(order: Iterator<number>): (count: number) => number {
  return (count) => (order.next().value ?? 0) % count;
}

/** What of a state must not depend on the order of arrival. */
function essence(state: LogState): unknown {
  const outcomes = [...state.outcomes].map(
    ([round, places]) => [round, [...places].sort(([a], [b]) => (a < b ? -1 : 1))] as const,
  );
  outcomes.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  return { ...state, outcomes, sequence: 0 };
}

describe("a run answered in any order", () => {
  it("ends, with the same canonical log whatever the order", () => {
    fc.assert(
      fc.property(worlds, settings, orders, (options, given, order) => {
        const world = new World(options);
        const inOrder = new MemoryRun(created(given), "run-a").finish(world);
        const shuffled = new MemoryRun(created(given), "run-b").finish(world, picker(order));
        expect(inOrder.state.ended).toBeDefined();
        expect(canonicalLog("run-b", shuffled.events)).toBe(canonicalLog("run-a", inOrder.events));
      }),
      { numRuns: 150 },
    );
  });

  it("folds every prefix to the same state, also with independent outcomes swapped", () => {
    fc.assert(
      fc.property(worlds, settings, orders, fc.nat(), (options, given, order, cut) => {
        const run = new MemoryRun(created(given)).finish(new World(options), picker(order));
        const prefix = run.events.slice(0, 1 + (cut % run.events.length));
        const once = fold("run-test", prefix);
        // Facts follow from outcomes, so any order of the outcomes is possible where facts stay behind them.
        const [first, ...rest] = prefix;
        if (first === undefined) throw new Error("empty");
        const turned = [...rest].reverse();
        expect(essence(turned.reduce(apply, begin("run-test", first)))).toEqual(essence(once));
        expect(decide(turned.reduce(apply, begin("run-test", first)))).toEqual(decide(once));
      }),
      { numRuns: 60 },
    );
  });

  it("never commands a place that has an outcome, nor one twice", () => {
    fc.assert(
      fc.property(worlds, settings, orders, (options, given, order) => {
        const world = new World(options);
        const pick = picker(order);
        const run = new MemoryRun(created(given)); // It throws when a place is commanded twice.
        while (run.commands.length > 0) {
          const done = new Set(run.events.map(({ place }) => place));
          for (const { place } of run.commands) expect(done.has(place)).toBe(false);
          const command = run.commands[pick(run.commands.length)];
          if (command === undefined) break;
          expect(run.put(command.place, world.outcome(command))).toBe(true);
          expect(run.put(command.place, world.outcome(command))).toBe(false);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("counts every answer: asked is scored, failed or cancelled", () => {
    fc.assert(
      fc.property(worlds, settings, fc.nat(60), (options, given, cancelAfter) => {
        const world = new World(options);
        const run = new MemoryRun(created(given));
        for (let steps = 0; run.commands.length > 0 && steps < cancelAfter; steps += 1) {
          const command = run.commands[0];
          if (command !== undefined) run.put(command.place, world.outcome(command));
        }
        run.steer(optimizer.RunControlled_Action.ACTION_CANCEL, "enough");
        expect(run.state.ended).toBeDefined();
        expect(run.commands).toEqual([]);
        for (const { ended, candidates } of survey(run.state).rounds) {
          if (ended !== undefined) expect(ended.scoredCount + ended.failedCount).toBe(candidates.length);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("has a digest that knows neither the run's id nor times, sequence and sources", () => {
    const world = new World({ seed: 5, raises: 0.3 });
    const a = new MemoryRun(created(), "run-a").finish(world);
    const b = new MemoryRun(created(), "run-b").finish(world, (count) => count - 1);
    for (const event of b.events) {
      event.createTime = undefined;
      event.sequence += 7n;
      if (event.kind?.$case === "modelAnswered" && event.kind.value.completion !== undefined) {
        event.kind.value.completion.provider = "elsewhere";
        event.kind.value.completion.requestId = "x";
        event.kind.value.completion.source = 3;
        event.kind.value.completion.cost = undefined;
      }
    }
    expect(logDigest("run-b", b.events)).toBe(logDigest("run-a", a.events));
    const other = new MemoryRun(created(), "run-c").finish(new World({ seed: 6, raises: 0.3 }));
    expect(logDigest("run-c", other.events)).not.toBe(logDigest("run-a", a.events));
  });
});
