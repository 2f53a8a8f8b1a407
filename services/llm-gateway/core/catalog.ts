/**
 * Which provider serves which model. Pure.
 *
 * With a list of models only those are served; without one the provider is asked for whatever the caller names. A list of
 * routes, so that several providers can follow.
 */
import { FleetError, nearest } from "@promptpo/service-kit/errors.ts";
import type { Catalog, Provider } from "./ports.ts";

export function createCatalog(provider: Provider | undefined, models: readonly string[]): Catalog {
  const listed = [...new Set(models)].sort();
  return {
    route(model) {
      if (provider === undefined)
        return { kind: "none", error: noProvider(`nobody can answer for ${model}`, { model }) };
      if (listed.length > 0 && !listed.includes(model)) return { kind: "none", error: unknownModel(model, listed) };
      return { kind: "provider", provider };
    },
    canAsk: provider !== undefined,
    models: () => (provider === undefined ? [] : listed.map((name) => ({ name, provider: provider.name }))),
  };
}

/** `what` says what cannot be done for that. */
export function noProvider(what: string, metadata: Readonly<Record<string, string>> = {}): FleetError {
  return new FleetError(
    "NO_PROVIDER",
    `${what}: no provider and no recording is configured. Set OPENAI_API_KEY (a provider's key), or OPENAI_BASE_URL ` +
      "(a local endpoint), or PROMPTPO_RECORDING (a folder of recorded answers), and start the gateway again",
    { metadata },
  );
}

function unknownModel(model: string, listed: readonly string[]): FleetError {
  const near = nearest(model, listed);
  const shown =
    near.length > 0 ? `Did you mean ${near.join(" or ")}?` : `Configured are ${listed.slice(0, 5).join(", ")}.`;
  return new FleetError("UNKNOWN_MODEL", `no provider offers the model ${model}. ${shown} PROMPTPO_MODELS lists them`, {
    metadata: { model, nearest: near.join(", ") },
  });
}
