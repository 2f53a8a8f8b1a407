// WatchRun: a run's events from a sequence number on, each with the run as it stood after it, until the run has ended.
// A sign of life comes when nothing happens, and when what the run waits for has changed.
import type { optimizer } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import { apply, fold } from "../core/apply.ts";
import type { LogState } from "../core/log-state.ts";
import { basicView, type RunFacts, runView } from "../core/run-view.ts";
import { ownedRun } from "./owned-run.ts";
import type { HandlerPorts, OptimizerHandler } from "./ports.ts";

/** Looks without news between two signs of life: the news port looks about every two seconds. */
const LOOKS_A_HEARTBEAT = 5;

export function watchRun({ runs, news, stopping }: HandlerPorts): OptimizerHandler<"watchRun"> {
  return async function* ({ runId, afterSequence }, { tenant, signal: left }) {
    // A process that stops does not wait for its watchers: they go on with another replica, or this one's next life.
    const signal = AbortSignal.any([left, stopping]);
    // Before the first look, so that nothing falls between.
    using subscription = news.subscribe(runId);
    let { events, facts } = await ownedRun(runs, runId, tenant);
    if (afterSequence < 0n || afterSequence > BigInt(events.length))
      throw new FleetError(
        "INVALID_CURSOR",
        `the run ${runId} has ${events.length} events; there is nothing after ${afterSequence}`,
      );
    const seen = Number(afterSequence);
    let state = seen === 0 ? undefined : fold(runId, events.slice(0, seen));
    let unseen: readonly optimizer.Event[] = events.slice(seen);
    events = [];
    for (let quiet = 0; ; ) {
      for (const event of unseen) {
        state = state === undefined ? fold(runId, [event]) : apply(state, event);
        // What it waits for now says nothing of how it stood earlier.
        yield { event, run: view(state, event === unseen.at(-1) ? facts : { ...facts, waitsFor: "" }) };
      }
      if (state === undefined || state.ended !== undefined) return;
      const word = await subscription.next(signal);
      const before = facts;
      try {
        facts = (await ownedRun(runs, runId, tenant)).facts;
        unseen = await runs.eventsAfter(runId, state.sequence);
      } catch (thrown) {
        // The watcher stays: the run goes on when the database is back.
        if (FleetError.from(thrown).reason !== "DATABASE_UNAVAILABLE") throw thrown;
        facts = { ...facts, waitsFor: "waits for the optimizer's database" };
        unseen = [];
      }
      quiet = unseen.length > 0 ? 0 : quiet + 1;
      const told =
        unseen.length === 0 && (changed(before, facts) || (word === "nothing" && quiet >= LOOKS_A_HEARTBEAT));
      if (!told) continue;
      quiet = 0;
      yield { run: view(state, facts) };
    }
  };
}

function view(state: LogState, facts: RunFacts): optimizer.Run {
  return basicView(runView(state, facts));
}

function changed(before: RunFacts, after: RunFacts): boolean {
  return before.waitsFor !== after.waitsFor || before.started !== after.started;
}
