// A run's messages from a sequence number on, until it ends: over restarts of the optimizer and cut connections, each event
// once. Ends quietly when the caller's signal says so.
import { setTimeout as delay } from "node:timers/promises";
import { optimizer } from "@promptpo/contracts";
import { type Client, FleetError } from "@promptpo/service-kit";
import { hasEnded } from "./progress.ts";

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 3_000;

export interface FollowOptions {
  readonly signal: AbortSignal;
  readonly afterSequence?: bigint;
  /** Called once for each time that the optimizer does not answer. */
  readonly onLost?: (error: FleetError) => void;
  /** False when nobody will ever answer again: then the failure is thrown. Default: it is worth waiting. */
  readonly worthWaiting?: () => boolean;
}

export async function* followRun(
  client: Client<typeof optimizer.OptimizerService>,
  runId: string,
  { signal, afterSequence = 0n, onLost, worthWaiting = () => true }: FollowOptions,
): AsyncGenerator<optimizer.WatchRunResponse> {
  let last = afterSequence;
  for (let failures = 0; !signal.aborted; ) {
    try {
      const request = optimizer.WatchRunRequest.fromPartial({ runId, afterSequence: last });
      for await (const message of client.watchRun(request, { signal })) {
        failures = 0;
        const sequence = message.event?.sequence;
        if (sequence !== undefined && sequence <= last) continue;
        if (sequence !== undefined) last = sequence;
        yield message;
        if (message.event?.kind?.$case === "runEnded") return;
      }
      // The stream's end is the run's end, or a server that went away politely.
      const { run } = await client.getRun(optimizer.GetRunRequest.fromPartial({ runId }), { signal });
      if (hasEnded(run) && (run?.lastSequence ?? 0n) <= last) return;
    } catch (thrown) {
      if (signal.aborted) return;
      const error = FleetError.from(thrown);
      if (!error.retryable || !worthWaiting()) throw error;
      if (failures === 0) onLost?.(error);
      failures += 1;
    }
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, failures - 1));
    await delay(pause, undefined, { signal }).catch(() => {});
  }
}
