import { llm, sim } from "@promptpo/contracts";
import { expect, test } from "vitest";
import { implement } from "./implement.ts";

test("an implementation knows its service's full name and every method, handled or not", () => {
  const gateway = implement(llm.LlmGatewayService, {
    complete: async (request, context) => {
      context.log.info({ model: request.model });
      return llm.CompleteResponse.fromPartial({});
    },
    async *streamComplete(request) {
      yield llm.StreamCompleteResponse.fromPartial({ part: { $case: "delta", value: request.request?.model ?? "" } });
    },
  });
  expect(gateway.name).toBe("promptpo.llm.v1.LlmGateway");
  expect(gateway.methods.map(({ path }) => path)).toContain("/promptpo.llm.v1.LlmGateway/GetUsage");
  const simulator = implement(sim.SimulatorService, {
    async *step(requests) {
      for await (const request of requests) yield sim.StepResponse.fromPartial({ ...(request && {}) });
    },
  });
  expect(simulator.methods.find(({ path }) => path.endsWith("/Step"))?.kind).toBe("bidi_stream");
});
