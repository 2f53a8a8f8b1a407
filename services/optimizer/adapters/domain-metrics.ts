// The optimizer's own metrics: runs by state, commands by kind and outcome, queue depth, failures of candidates by
// cause, tokens, money, rounds, takeovers. Labels are from small fixed sets; ids never are labels.
import { optimizer } from "@promptpo/contracts";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Advanced } from "../core/advance.ts";
import type { LogState } from "../core/log-state.ts";
import { survey } from "../core/survey.ts";
import type { WorkObserver } from "../workers/ports.ts";

export interface Gauges {
  runsByState(): Promise<ReadonlyMap<number, number>>;
  queueDepths(): Promise<readonly { queue: string; state: string; count: number }[]>;
}

export interface DomainMetrics extends WorkObserver {
  runCreated(): void;
  takeover(jobs: number): void;
}

export function createDomainMetrics(registry: Registry, gauges: Gauges): DomainMetrics {
  const registers = [registry];
  new Gauge({
    name: "promptpo_runs",
    help: "Runs by state.",
    labelNames: ["state"],
    registers,
    async collect() {
      // While the database is away the gauge has no samples, which says so.
      this.reset();
      for (const [state, count] of await gauges.runsByState().catch(() => new Map<number, number>()))
        this.set({ state: stateWord(state) }, count);
    },
  });
  new Gauge({
    name: "promptpo_queue_commands",
    help: "Commands in the queue, by queue and whether they are being worked on.",
    labelNames: ["queue", "state"],
    registers,
    async collect() {
      this.reset();
      for (const { queue, state, count } of await gauges.queueDepths().catch(() => []))
        this.set({ queue, state }, count);
    },
  });
  const created = new Counter({ name: "promptpo_runs_created_total", help: "Runs created here.", registers });
  const commands = new Histogram({
    name: "promptpo_command_seconds",
    help: "Commands worked on, by kind and outcome: stored, dropped (another was first), waits, unwanted.",
    labelNames: ["command", "outcome"],
    buckets: [0.05, 0.2, 1, 5, 20, 60, 300, 1200, 3600],
    registers,
  });
  const failures = new Counter({
    name: "promptpo_candidate_failures_total",
    help: "Candidates that failed, by kind of policy error or reason.",
    labelNames: ["cause"],
    registers,
  });
  const rounds = new Counter({ name: "promptpo_rounds_total", help: "Rounds that ended.", registers });
  const runs = new Counter({
    name: "promptpo_runs_ended_total",
    help: "Runs that ended, by state.",
    labelNames: ["state"],
    registers,
  });
  const tokens = new Counter({
    name: "promptpo_tokens_total",
    help: "Tokens of answers stored, recorded and cached ones included.",
    labelNames: ["kind"],
    registers,
  });
  const money = new Counter({
    name: "promptpo_cost_micro_usd_total",
    help: "Known cost of answers stored.",
    registers,
  });
  const steps = new Counter({
    name: "promptpo_environment_steps_total",
    help: "Environment steps of outcomes stored.",
    labelNames: ["purpose"],
    registers,
  });
  const takeovers = new Counter({ name: "promptpo_takeovers_total", help: "Dead replicas taken over.", registers });
  const takenOver = new Counter({ name: "promptpo_taken_over_commands_total", help: "Their commands.", registers });

  return {
    runCreated: () => created.inc(),
    takeover(jobs) {
      takeovers.inc();
      takenOver.inc(jobs);
    },
    commandDone: (command, outcome, seconds) => commands.observe({ command, outcome }, seconds),
    advanced(before, { state, events }: Advanced) {
      const { tally } = state;
      tokens.inc({ kind: "prompt" }, Number(tally.promptTokens - before.tally.promptTokens));
      tokens.inc({ kind: "completion" }, Number(tally.completionTokens - before.tally.completionTokens));
      money.inc(Number(tally.microUsd - before.tally.microUsd));
      steps.inc({ purpose: "train" }, Number(tally.trainSteps - before.tally.trainSteps));
      steps.inc({ purpose: "feedback" }, Number(tally.feedbackSteps - before.tally.feedbackSteps));
      steps.inc({ purpose: "heldout" }, Number(tally.heldoutSteps - before.tally.heldoutSteps));
      for (const { kind } of events) {
        if (kind?.$case === "roundEnded") {
          rounds.inc();
          for (const cause of failuresOf(state, kind.value.round?.number ?? 0)) failures.inc({ cause });
        } else if (kind?.$case === "runEnded") runs.inc({ state: stateWord(kind.value.state) });
      }
    },
  };
}

function failuresOf(state: LogState, round: number): string[] {
  const found = survey(state).rounds.find(({ number }) => number === round);
  return (found?.candidates ?? []).flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
}

function stateWord(state: number): string {
  const known = Object.values(optimizer.RunState).find((value) => value === state);
  return known === undefined ? "UNKNOWN" : optimizer.runStateToJSON(known).replace("RUN_STATE_", "");
}
