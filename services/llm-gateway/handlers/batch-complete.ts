/** `BatchComplete`: k samples of one prompt, each told as it comes. One sample's failure leaves the others their answers. */
import type { llm } from "@promptpo/contracts";
import { FleetError, type Handler } from "@promptpo/service-kit";
import { type CallDefaults, parseCall } from "../core/parse-call.ts";
import type { Gateway } from "../core/pipeline/gateway.ts";

const SAMPLES_MOST = 1_000;
/** Calls of one batch at the provider at once. */
const AT_ONCE = 16;

export function batchComplete(
  gateway: Gateway,
  defaults: CallDefaults,
): Handler<llm.LlmGatewayService["batchComplete"]> {
  return async function* ({ request, sampleCount }, context) {
    if (request === undefined) throw new FleetError("INVALID_ARGUMENT", "request: the call to make is missing");
    if (sampleCount < 1 || sampleCount > SAMPLES_MOST) {
      throw new FleetError("INVALID_ARGUMENT", `sample_count: must be from 1 to ${SAMPLES_MOST}, it is ${sampleCount}`);
    }
    const first = request.sample?.index ?? 0n;
    // All are parsed before the first is asked: a bad request costs nothing.
    const calls = Array.from({ length: sampleCount }, (_, at) => {
      const index = first + BigInt(at);
      const requestId = request.requestId === "" ? "" : `${request.requestId}/${index}`;
      const sample = { namespace: request.sample?.namespace ?? "", index };
      return { index, call: parseCall({ ...request, requestId, sample }, context.tenant, defaults) };
    });
    const running = new Map<bigint, Promise<llm.BatchCompleteResponse>>();
    for (const { index, call } of calls) {
      if (running.size >= AT_ONCE) yield await next(running);
      running.set(
        index,
        gateway.complete(call, context).then(
          (value): llm.BatchCompleteResponse => ({ index, outcome: { $case: "completion", value } }),
          (error): llm.BatchCompleteResponse => ({
            index,
            outcome: { $case: "errorReason", value: FleetError.from(error).reason },
          }),
        ),
      );
    }
    while (running.size > 0) yield await next(running);
  };
}

async function next(running: Map<bigint, Promise<llm.BatchCompleteResponse>>): Promise<llm.BatchCompleteResponse> {
  const ended = await Promise.race(running.values());
  running.delete(ended.index);
  return ended;
}
