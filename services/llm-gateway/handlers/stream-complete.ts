/** `StreamComplete`: one answer, piece by piece, and the whole of it at the end. */
import { llm } from "@promptpo/contracts";
import { FleetError, type Handler } from "@promptpo/service-kit";
import { type CallDefaults, parseCall } from "../core/parse-call.ts";
import type { Gateway } from "../core/pipeline/gateway.ts";
import { streamPieces } from "../core/pipeline/stream-pieces.ts";

export function streamComplete(
  gateway: Gateway,
  defaults: CallDefaults,
): Handler<llm.LlmGatewayService["streamComplete"]> {
  return async function* ({ request }, context) {
    if (request === undefined) throw new FleetError("INVALID_ARGUMENT", "request: the call to make is missing");
    const call = parseCall(request, context.tenant, defaults);
    for await (const part of streamPieces((pieces) => gateway.complete(call, { ...context, pieces }))) {
      yield llm.StreamCompleteResponse.fromPartial({
        part:
          part.kind === "piece"
            ? { $case: "delta", value: part.text }
            : { $case: "completion", value: part.completion },
      });
    }
  };
}
