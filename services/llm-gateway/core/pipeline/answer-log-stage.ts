/**
 * Idempotency: a call with a request id runs once, detached from its callers, with a row in the answer log.
 *
 * Callers attach to a running call and may leave; it runs to its end and is stored, unless it is cancelled. The row is
 * RESERVED before anything else, SENT before a provider may be reached, and settled together with its usage. While another
 * living process works on the row, this one waits for its answer. A database that is away when the answer has come is
 * waited for: the answer is paid.
 */
import { llm } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import type { Call } from "../call.ts";
import { answerTooLate, requestIdReused } from "../call-errors.ts";
import { toldAgain } from "../completion.ts";
import { stateAfter } from "../decide-claim.ts";
import { failure, type Outcome } from "../outcome.ts";
import type { AnswerLog, CallId, Clock, Notes, UsageEntry, UsageLog } from "../ports.ts";
import { claimRow } from "./claim-row.ts";
import type { Flow, Next, Stage } from "./flow.ts";
import { Pieces } from "./pieces.ts";
import { openScope, reasonOf, type Scope, sleep, unlessAborted } from "./waiting.ts";

const LONGEST_DATABASE_PAUSE_MS = 2_000;

export interface AnswerLogStageOptions {
  readonly log: AnswerLog;
  readonly usage: UsageLog;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly notes: Notes;
}

interface RunningCall {
  readonly bodySha256: string;
  readonly scope: Scope;
  readonly pieces: Pieces | undefined;
  readonly outcome: Promise<Outcome>;
}

export interface AnswerLogStage {
  readonly stage: Stage;
  /** Stops the call if it runs here; resolves when it has ended. */
  cancel(id: CallId): Promise<boolean>;
  /** How many calls run detached. */
  runningCount(): number;
  /** Resolves when no call runs. */
  idle(): Promise<void>;
  /** Stops all calls and resolves when their rows are written. */
  stop(): Promise<void>;
}

export function answerLogStage(options: AnswerLogStageOptions): AnswerLogStage {
  const { log, clock, notes } = options;
  const running = new Map<string, RunningCall>();
  const stopping = new AbortController();

  const entryFor = (call: Call, outcome: Outcome): UsageEntry | undefined => {
    const { charge } = outcome;
    if (charge === undefined && outcome.kind === "failure") return undefined;
    const paid = outcome.kind === "answer" && charge !== undefined;
    return {
      id: options.newId(),
      tenant: call.tenant,
      runId: call.runId,
      model: call.model,
      providerCalls: paid ? 1 : 0,
      freeCalls: outcome.kind === "answer" && !paid ? 1 : 0,
      charge,
    };
  };
  const account = (call: Call, outcome: Outcome): void => {
    const entry = entryFor(call, outcome);
    if (entry !== undefined) options.usage.add(entry);
  };

  /** Does it until the database lets it; what is written here was paid for or holds others up. */
  const persist = async <T>(id: CallId, write: () => Promise<T>): Promise<T> => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await write();
      } catch (error) {
        const problem = FleetError.from(error);
        if (problem.reason !== "DATABASE_UNAVAILABLE" || stopping.signal.aborted) throw error;
        notes.warn({ requestId: id.requestId }, "waiting for the database to write down the end of a call");
        await sleep(clock, Math.min(LONGEST_DATABASE_PAUSE_MS, 100 * 2 ** attempt), stopping.signal);
      }
    }
  };

  const settle = async (call: Call, outcome: Outcome): Promise<Outcome> => {
    const entry = entryFor(call, outcome);
    if (outcome.kind === "failure") {
      await persist(call, () => log.release(call, stateAfter(outcome), outcome.error.reason, entry));
      return outcome;
    }
    if (entry === undefined) throw new Error("an answer without an entry in the account");
    const completion = await persist(call, () => log.store(call, outcome.completion, entry));
    return { kind: "answer", completion };
  };

  const run = async (call: Call, scope: Scope, deadlineMs: number, pieces: Pieces | undefined, next: Next) => {
    let claimed = false;
    let sent: Promise<void> | undefined;
    const work = async (): Promise<Outcome> => {
      const ready = await claimRow(log, clock, call, scope.signal);
      if (ready !== undefined) {
        account(call, ready);
        return ready;
      }
      claimed = true;
      const outcome = await next({
        call,
        signal: scope.signal,
        deadline: () => deadlineMs,
        pieces,
        beforeSend: () => {
          sent ??= log.markSent(call);
          return sent;
        },
      });
      return settle(call, outcome);
    };
    try {
      return await work();
    } catch (error) {
      if (scope.signal.aborted && !claimed) return failure(reasonOf(scope.signal), "unsent");
      const problem = FleetError.from(error);
      if (problem.reason === "INTERNAL") notes.error({ requestId: call.requestId, err: error }, "a call broke off");
      if (!claimed) return failure(problem, "unsent");
      // Nothing reaches a provider before SENT is written; after that only the provider stage's own outcomes are certain.
      const fate = sent === undefined || (await failed(sent)) ? "unsent" : "unknown";
      const outcome = failure(problem, fate);
      await persist(call, () => log.release(call, stateAfter(outcome), problem.reason, undefined)).catch((cause) =>
        notes.error({ requestId: call.requestId, err: cause }, "a row of the answer log could not be let go"),
      );
      return outcome;
    }
  };

  const start = (key: string, flow: Flow, next: Next): RunningCall => {
    const { call } = flow;
    const deadlineMs = clock.now() + call.timeoutMs;
    const scope = openScope({ parents: [stopping.signal], clock, deadlineMs, late: () => answerTooLate(call) });
    const pieces = flow.pieces === undefined ? undefined : new Pieces();
    const outcome = run(call, scope, deadlineMs, pieces, next).finally(() => {
      scope.close();
      running.delete(key);
    });
    const started = { bodySha256: call.bodySha256, scope, pieces, outcome };
    running.set(key, started);
    return started;
  };

  const attach = async (flow: Flow, call: RunningCall, joined: boolean): Promise<Outcome> => {
    const { pieces } = flow;
    const unfollow = pieces === undefined ? undefined : call.pieces?.follow((piece) => pieces.append(piece));
    try {
      const outcome = await unlessAborted(call.outcome, flow.signal);
      if (!joined || outcome.kind === "failure") return outcome;
      const source =
        outcome.completion.source === llm.Completion_Source.SOURCE_PROVIDER
          ? llm.Completion_Source.SOURCE_SINGLE_FLIGHT
          : outcome.completion.source;
      return { kind: "answer", completion: toldAgain(outcome.completion, source) };
    } catch (error) {
      if (!flow.signal.aborted) throw error;
      return failure(reasonOf(flow.signal), "unknown");
    } finally {
      unfollow?.();
    }
  };

  return {
    stage: async (flow, next) => {
      if (flow.call.requestId === "") {
        const outcome = await next(flow);
        account(flow.call, outcome);
        return outcome;
      }
      if (stopping.signal.aborted) return failure(reasonOf(stopping.signal), "unsent");
      const key = keyOf(flow.call);
      const there = running.get(key);
      if (there !== undefined && there.bodySha256 !== flow.call.bodySha256) {
        return failure(requestIdReused(flow.call), "unsent");
      }
      return attach(flow, there ?? start(key, flow, next), there !== undefined);
    },
    async cancel(id) {
      const call = running.get(keyOf(id));
      if (call === undefined) return false;
      call.scope.abort(new FleetError("CANCELLED", `the call ${id.requestId} was stopped by CancelCompletion`));
      await call.outcome;
      return true;
    },
    runningCount: () => running.size,
    async idle() {
      while (running.size > 0) await Promise.all([...running.values()].map(({ outcome }) => outcome));
    },
    async stop() {
      stopping.abort(
        new FleetError("SHUTTING_DOWN", "the gateway is shutting down; ask again with the same request id"),
      );
      await this.idle();
    },
  };
}

function keyOf({ tenant, requestId }: CallId): string {
  return `${tenant}\n${requestId}`;
}

async function failed(promise: Promise<void>): Promise<boolean> {
  return promise.then(
    () => false,
    () => true,
  );
}
