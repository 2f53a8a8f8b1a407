/**
 * For tests: one shard of a session, stepped over its gRPC stream by hand.
 */
import { type rollout, sim } from "@promptpo/contracts";
import { createClient } from "@promptpo/service-kit";

export interface StepStream extends AsyncDisposable {
  readonly opened: sim.ShardOpened;
  /** Sends a request and waits for its transition. */
  ask(request: sim.StepRequest): Promise<sim.Transition>;
  /** The next transition that comes without being asked for. */
  next(): Promise<sim.Transition>;
}

export async function openStream(
  session: rollout.EnvSession,
  shard: rollout.Shard,
  lastStep = -1n,
): Promise<StepStream> {
  const client = createClient(sim.SimulatorService, { target: shard.target, unavailable: "SIDECAR_UNAVAILABLE" });
  const requests = mailbox<sim.StepRequest>();
  const responses = client.step(requests.read())[Symbol.asyncIterator]();
  const receive = async () => {
    const { value, done } = await responses.next();
    if (done === true) throw new Error("the stream ended");
    return value.kind;
  };
  const next = async () => {
    const kind = await receive();
    if (kind?.$case !== "transition") throw new Error(`a ${kind?.$case} came instead of a transition`);
    return kind.value;
  };
  requests.put(
    sim.StepRequest.fromPartial({
      kind: { $case: "open", value: { sessionId: session.id, token: session.token, lastStep } },
    }),
  );
  const first = await receive();
  if (first?.$case !== "opened") throw new Error(`a ${first?.$case} came instead of the handshake`);
  return {
    opened: first.value,
    next,
    ask(request) {
      requests.put(request);
      return next();
    },
    async [Symbol.asyncDispose]() {
      requests.end();
      client.close();
    },
  };
}

export function resetting(step: bigint, more: Partial<sim.Reset> = {}): sim.StepRequest {
  return sim.StepRequest.fromPartial({ kind: { $case: "reset", value: { step, ...more } } });
}

export function acting(step: bigint, data: Uint8Array): sim.StepRequest {
  return sim.StepRequest.fromPartial({ kind: { $case: "actions", value: { step, data: Buffer.from(data) } } });
}

function mailbox<T>() {
  const waiting: T[] = [];
  let wake = Promise.withResolvers<void>();
  let isOver = false;
  return {
    put(message: T): void {
      waiting.push(message);
      wake.resolve();
    },
    end(): void {
      isOver = true;
      wake.resolve();
    },
    async *read(): AsyncGenerator<T, void, void> {
      for (;;) {
        const message = waiting.shift();
        if (message !== undefined) yield message;
        else if (isOver) return;
        else {
          wake = Promise.withResolvers();
          await wake.promise;
        }
      }
    },
  };
}
