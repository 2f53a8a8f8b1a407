/** `ListModels`: configured models and recorded ones, by name, in pages. An error where nobody could answer at all. */
import { llm } from "@promptpo/contracts";
import { FleetError, type Handler } from "@promptpo/service-kit";
import { noProvider } from "../core/catalog.ts";
import { listModels as listed } from "../core/list-models.ts";
import type { Catalog, Recordings } from "../core/ports.ts";
import type { PriceTable } from "../core/usage.ts";

const PAGE_SIZE = 100;
const PAGE_SIZE_MOST = 1_000;

export interface ListModelsSources {
  readonly catalog: Catalog;
  readonly recordings: Recordings;
  readonly prices: PriceTable;
}

export function listModels(sources: ListModelsSources): Handler<llm.LlmGatewayService["listModels"]> {
  return async ({ pageSize, pageToken }) => {
    if (pageSize < 0) throw new FleetError("INVALID_PAGE", "page_size: must not be negative");
    const size = Math.min(pageSize === 0 ? PAGE_SIZE : pageSize, PAGE_SIZE_MOST);
    const models = listed(sources.catalog, sources.recordings, sources.prices);
    // An empty list says that any name may be asked for, which would be false here.
    if (models.length === 0 && !sources.catalog.canAsk && sources.recordings.mode === "off")
      throw noProvider("no model can be asked");
    const from = pageToken === "" ? 0 : models.findIndex((model) => tokenOf(model) === pageToken) + 1;
    if (pageToken !== "" && from === 0) {
      throw new FleetError("INVALID_PAGE", "page_token: is not of a page of this list; begin again without one");
    }
    const page = models.slice(from, from + size);
    const last = page.at(-1);
    return llm.ListModelsResponse.fromPartial({
      models: page,
      nextPageToken: last !== undefined && from + size < models.length ? tokenOf(last) : "",
    });
  };
}

/** The last model of the page before: pages stay right while models come and go. */
function tokenOf({ name, provider }: llm.Model): string {
  return Buffer.from(JSON.stringify([name, provider])).toString("base64url");
}
