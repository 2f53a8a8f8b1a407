/**
 * A run's events over connections that break.
 *
 * Owns the sequence number to go on from, and when to give up. It refuses to skip or repeat an event, and to end before
 * the run has.
 */
import { optimizer } from "@promptpo/contracts";
import { type Client, FleetError, pause } from "@promptpo/service-kit";
import type { WatchedEvent, WatchOptions } from "./fleet.ts";
import { hasEnded } from "./run-states.ts";

const PATIENCE_MS = 300_000;
const GET_RUN_MS = 30_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export async function* watchRun(
  client: Client<optimizer.OptimizerService>,
  runId: string,
  options: WatchOptions = {},
): AsyncGenerator<WatchedEvent> {
  const { signal, patienceMs = PATIENCE_MS, onInterruption } = options;
  const call = signal === undefined ? {} : { signal };
  let sequence = options.afterSequence ?? 0n;
  let quietSince = performance.now();
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    try {
      const request = optimizer.WatchRunRequest.fromPartial({ runId, afterSequence: sequence });
      for await (const { event, run } of client.watchRun(request, call)) {
        quietSince = performance.now();
        pauseMs = FIRST_PAUSE_MS;
        // A heartbeat shows that the other side lives; a repeated event has been told.
        if (event === undefined || run === undefined || event.sequence <= sequence) continue;
        sequence = event.sequence;
        yield { event, run };
        // The reader may have taken its time, which is no silence of the other side.
        quietSince = performance.now();
      }
      // The server ends the stream when the run has ended; anything between may end it as well.
      const { run } = await client.getRun(optimizer.GetRunRequest.fromPartial({ runId }), {
        ...call,
        timeoutMs: GET_RUN_MS,
      });
      if (run !== undefined && hasEnded(run) && run.lastSequence <= sequence) return;
      quietSince = performance.now();
    } catch (thrown) {
      const error = FleetError.from(thrown);
      if (!error.retryable || signal?.aborted === true) throw error;
      const waitMs = Math.max(error.retryAfterMs ?? 0, pauseMs * (0.5 + Math.random() / 2));
      if (performance.now() + waitMs - quietSince > patienceMs) throw error;
      onInterruption?.(error);
      await pause(waitMs, signal);
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
      continue;
    }
    await pause(pauseMs, signal);
  }
}
