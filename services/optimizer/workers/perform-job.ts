// One command from the queue to the log: looks whether it is still wanted, makes the outside call with no transaction
// open, then commits its outcome. What is away is waited for; an outcome in hand is never dropped because the database
// is away for a while.
import { FleetError, type Logger } from "@promptpo/service-kit";
import { fateOf } from "../core/failure-policy.ts";
import { decide } from "../core/survey.ts";
import type { Job } from "../store/command-queue.ts";
import { askOutside, failedOutcome, type Peers, peerOf } from "./ask-outside.ts";
import { pause } from "./pause.ts";
import type { WorkObserver, WorkStore } from "./ports.ts";

export interface PerformOptions {
  readonly store: WorkStore;
  readonly peers: Peers;
  readonly observer: WorkObserver;
  readonly log: Logger;
  readonly now: () => number;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Resolves when the job is settled or was given back. `abandon` aborts the outside call: with SHUTTING_DOWN the job is
 * given back, with anything else (its run has ended) it is discarded.
 */
export async function performJob(options: PerformOptions, job: Job, abandon: AbortSignal): Promise<void> {
  const { store, log } = options;
  try {
    await perform(options, job, abandon);
  } catch (error) {
    // A process that leaves gives up its claims anyway. Anything else is a fault of ours: it is told, and tried again.
    if (abandon.aborted) return;
    log.error({ err: error, run: job.runId, place: job.place }, "a command broke; it is tried again");
    await insist(
      () => store.wait(job, "is tried again after a fault of the optimizer: its log has the cause"),
      abandon,
    );
  }
}

async function perform(options: PerformOptions, job: Job, abandon: AbortSignal): Promise<void> {
  const { store, observer, peers, log, now } = options;
  const began = now();
  const done = (word: string, outcome: Parameters<WorkObserver["commandDone"]>[1]) =>
    observer.commandDone(word, outcome, (now() - began) / 1000);

  const run = await insist(() => store.load(job.runId), abandon);
  const command = run === undefined ? undefined : decide(run.state).find(({ place }) => place === job.place);
  if (run === undefined || command === undefined) {
    await insist(() => store.discard(job), abandon);
    return done("none", "unwanted");
  }
  const word = command.kind === "model" ? command.ask : command.kind;
  const { state, facts } = run;
  const settle = async (kind: Parameters<WorkStore["commit"]>[1]) => {
    const advanced = await insist(() => store.commit(job, kind), abandon);
    if (advanced !== undefined) observer.advanced(state, advanced);
    done(word, advanced === undefined ? "dropped" : "stored");
  };

  let outcome: Parameters<WorkStore["commit"]>[1];
  try {
    outcome = await askOutside(peers, state, command, { tenant: facts.tenant, signal: abandon });
  } catch (thrown) {
    const error = FleetError.from(thrown);
    if (abandon.aborted) {
      const leaving = FleetError.from(abandon.reason).reason === "SHUTTING_DOWN";
      await (leaving ? store.wait(job, "") : store.discard(job));
      return done(word, leaving ? "waits" : "unwanted");
    }
    const peer = peerOf(command);
    const since = await insist(() => store.waitingSince(job), abandon);
    const fate = fateOf({
      peer,
      target: peers[peer].target,
      reason: error.reason,
      message: error.message,
      waitedMs: since === undefined ? 0 : now() - since,
      retries: job.retries,
      modelTimeoutMs: state.settings.modelTimeoutMs,
    });
    const line = { run: job.runId, place: job.place, reason: error.reason };
    if (fate.kind === "record") log.warn(line, `the command failed: ${error.message}`);
    // Said once for each command: it comes back every few seconds for as long as it waits.
    else if (since === undefined) log.info(line, fate.cause);
    if (error.reason === "INTERNAL") log.error({ ...line, err: error }, "a peer answered with a fault");
    if (fate.kind === "record") return settle(failedOutcome(state, command, error));
    await insist(() => store.wait(job, fate.cause), abandon);
    return done(word, "waits");
  }
  await settle(outcome);
}

/** Tries again while the database is away or another writer was faster; gives up only when this process leaves. */
async function insist<T>(work: () => Promise<T>, abandon: AbortSignal): Promise<T> {
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(LONGEST_PAUSE_MS, wait * 2)) {
    try {
      return await work();
    } catch (thrown) {
      const { reason } = FleetError.from(thrown);
      const passing = reason === "DATABASE_UNAVAILABLE" || reason === "CONFLICT";
      if (!passing || abandon.aborted) throw thrown;
      await pause(wait, abandon);
    }
  }
}
