// The llm-gateway as the workers and CreateRun see it: one answer, and the list of models.
import { llm } from "@promptpo/contracts";
import { type ClientOptions, createClient, FleetError } from "@promptpo/service-kit";
import type { Gateway } from "../workers/ports.ts";

export interface GatewayClient extends Gateway {
  /** Every model the gateway names; empty where it keeps no list. */
  listModels(call: { readonly tenant: string; readonly signal: AbortSignal }): Promise<llm.Model[]>;
  close(): void;
}

const LIST_MS = 5_000;
const PAGES_MOST = 50;

export function openGateway(options: ClientOptions): GatewayClient {
  const client = createClient(llm.LlmGatewayService, options);
  return {
    target: options.target,
    async complete(request, { tenant, signal, timeoutMs }) {
      const call = { tenant, signal, timeoutMs, requestId: request.requestId };
      const { completion } = await client.complete(request, call);
      if (completion === undefined)
        throw new FleetError(
          "INTERNAL",
          `the llm-gateway at ${options.target} answered ${request.requestId} with nothing`,
        );
      return completion;
    },
    async listModels({ tenant, signal }) {
      const models: llm.Model[] = [];
      let pageToken = "";
      for (let page = 0; page < PAGES_MOST; page += 1) {
        const request = llm.ListModelsRequest.fromPartial({ pageToken });
        const response = await client.listModels(request, { tenant, signal, timeoutMs: LIST_MS });
        models.push(...response.models);
        pageToken = response.nextPageToken;
        if (pageToken === "") break;
      }
      return models;
    },
    close: () => client.close(),
  };
}
