/**
 * The one pipeline that every door uses, in this order: idempotency (answer log), recording, cache, single flight,
 * provider. Validation comes before (parse-call.ts); settling, storing and answering happen on the way back.
 */
import { llm } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import type { Call } from "../call.ts";
import { toldAgain } from "../completion.ts";
import { visibleState } from "../decide-claim.ts";
import { failure, type Outcome } from "../outcome.ts";
import type { AnswerCache, AnswerLog, CallId, Recordings, RowState, UsageLog } from "../ports.ts";
import { answerLogStage } from "./answer-log-stage.ts";
import { askProvider, type ProviderStageOptions } from "./ask-provider.ts";
import { cacheStages } from "./cache-stages.ts";
import { inOrder } from "./flow.ts";
import type { Pieces } from "./pieces.ts";
import { recordingStage } from "./recording-stage.ts";
import { singleFlight } from "./single-flight.ts";
import { openScope, reasonOf } from "./waiting.ts";

export interface GatewayOptions extends ProviderStageOptions {
  readonly log: AnswerLog;
  readonly usage: UsageLog;
  readonly cache: AnswerCache;
  readonly recordings: Recordings;
  /** A unique id, such as a UUID. */
  readonly newId: () => string;
}

/** Who waits for an answer. */
export interface Caller {
  /** Aborts when the caller is gone; its reason is a FleetError. */
  readonly signal: AbortSignal;
  /** Epoch milliseconds; undefined: none of its own. */
  readonly deadlineMs?: number | undefined;
  /** Given: the answer is streamed into it. */
  readonly pieces?: Pieces | undefined;
}

export interface StoredCall {
  readonly state: RowState;
  readonly completion: llm.Completion | undefined;
  readonly errorReason: string;
}

export interface Gateway {
  /** The answer; failures are thrown as FleetErrors. */
  complete(call: Call, caller: Caller): Promise<llm.Completion>;
  find(id: CallId): Promise<StoredCall>;
  /** Stops a call wherever it runs; the state it ended in. */
  cancel(id: CallId, signal: AbortSignal): Promise<RowState>;
  /** How many calls run detached from their callers. */
  runningCount(): number;
  idle(): Promise<void>;
  stop(): Promise<void>;
  /** Another process asks to stop a call. */
  cancelHere(id: CallId): void;
}

export function createGateway(options: GatewayOptions): Gateway {
  const { clock, log, meter } = options;
  const idempotency = answerLogStage(options);
  const cache = cacheStages(options.cache);
  const pipeline = inOrder(
    [
      idempotency.stage,
      recordingStage(options.recordings, clock, options.notes),
      cache.read,
      singleFlight((call, charge) =>
        options.usage.add({
          id: options.newId(),
          tenant: call.tenant,
          runId: call.runId,
          model: call.model,
          providerCalls: 0,
          freeCalls: 0,
          charge,
        }),
      ),
      cache.fill,
    ],
    askProvider(options),
  );

  const find = async (id: CallId): Promise<StoredCall> => {
    const row = await log.find(id);
    if (row === undefined) {
      throw new FleetError(
        "UNKNOWN_COMPLETION",
        `no call with the request id ${id.requestId} is kept for this tenant`,
        {
          metadata: { request_id: id.requestId },
        },
      );
    }
    const completion =
      row.completion === undefined ? undefined : toldAgain(row.completion, llm.Completion_Source.SOURCE_ANSWER_LOG);
    return { state: visibleState(row), completion, errorReason: row.errorReason };
  };

  return {
    async complete(call, caller) {
      const start = clock.now();
      // A call with a request id has its own time; its caller may wait less.
      const own = call.requestId === "" ? start + call.timeoutMs : Infinity;
      const deadlineMs = Math.min(caller.deadlineMs ?? Infinity, own);
      const scope = openScope({
        parents: [caller.signal],
        clock,
        deadlineMs,
        late: () =>
          new FleetError(
            "DEADLINE_EXCEEDED",
            `no answer from ${call.model} within ${Math.round((deadlineMs - start) / 1000)} s; give the call more time (deadline and timeout, an hour at most)`,
            { metadata: { model: call.model } },
          ),
      });
      let outcome: Outcome;
      try {
        outcome = scope.signal.aborted
          ? failure(reasonOf(scope.signal), "unsent")
          : await pipeline({
              call,
              signal: scope.signal,
              deadline: () => deadlineMs,
              pieces: caller.pieces,
              beforeSend: async () => undefined,
            });
      } catch (error) {
        outcome = failure(FleetError.from(error), "unknown");
      } finally {
        scope.close();
      }
      meter.call({
        model: call.model,
        source: outcome.kind === "answer" ? sourceName(outcome.completion.source) : "none",
        outcome: outcome.kind === "answer" ? "ok" : outcome.error.reason,
        seconds: (clock.now() - start) / 1000,
      });
      if (outcome.kind === "failure") throw outcome.error;
      return outcome.completion;
    },
    find,
    async cancel(id, signal) {
      if (await idempotency.cancel(id)) return (await find(id)).state;
      for (;;) {
        const row = await log.find(id);
        const elsewhere = row?.owner !== undefined && row.owner !== log.owner && row.ownerLives;
        if (!elsewhere) return (await find(id)).state;
        await log.requestCancel(id);
        await log.changed(id, signal);
      }
    },
    cancelHere: (id) => void idempotency.cancel(id),
    runningCount: () => idempotency.runningCount(),
    idle: () => idempotency.idle(),
    stop: () => idempotency.stop(),
  };
}

function sourceName(source: llm.Completion_Source): string {
  switch (source) {
    case llm.Completion_Source.SOURCE_PROVIDER:
      return "provider";
    case llm.Completion_Source.SOURCE_CACHE:
      return "cache";
    case llm.Completion_Source.SOURCE_ANSWER_LOG:
      return "answer_log";
    case llm.Completion_Source.SOURCE_RECORDING:
      return "recording";
    case llm.Completion_Source.SOURCE_SINGLE_FLIGHT:
      return "single_flight";
    default:
      return "none";
  }
}
