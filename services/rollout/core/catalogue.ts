/**
 * The environments that can be simulated, as told by a sidecar's handshake: lookup, listing, pages.
 *
 * Owns the answer to a name that does not exist: the nearest ones that do.
 */
import type { rollout } from "@promptpo/contracts";
import { FleetError, nearest } from "@promptpo/service-kit/errors.ts";

export interface CataloguePage {
  readonly environments: rollout.Environment[];
  readonly nextPageToken: string;
}

export class Catalogue {
  /** id -> variant -> environment. */
  readonly #byId = new Map<string, Map<string, rollout.Environment>>();
  /** The default variant of every id, by family, then id. */
  readonly #defaults: readonly rollout.Environment[];

  constructor(environments: readonly rollout.Environment[]) {
    for (const environment of environments) {
      const variants = this.#byId.get(environment.id) ?? new Map<string, rollout.Environment>();
      variants.set(environment.variant, environment);
      this.#byId.set(environment.id, variants);
    }
    this.#defaults = [...this.#byId.values()]
      .flatMap((variants) => defaultOf(variants) ?? [])
      .sort((a, b) => compare(a.family, b.family) || compare(a.id, b.id));
  }

  get ids(): string[] {
    return this.#defaults.map((environment) => environment.id);
  }

  /** What its code is; "" for the service's own, undefined for an id that is not listed. */
  revisionOf(id: string): string | undefined {
    return this.#byId.get(id)?.values().next().value?.revision;
  }

  /** Texts included. An empty `variant` is the default. Throws UNKNOWN_ENVIRONMENT or UNKNOWN_VARIANT. */
  find(id: string, variant: string): rollout.Environment {
    const variants = this.#byId.get(id);
    if (variants === undefined) {
      throw unknown("UNKNOWN_ENVIRONMENT", "environment", id, this.ids, "`promptpo envs` lists all of them");
    }
    const found = variant === "" ? defaultOf(variants) : variants.get(variant);
    if (found !== undefined) return found;
    const names = [...variants.keys()];
    const all = names.length === 1 && names[0] === "" ? "it has no variants" : `it has ${names.join(", ")}`;
    throw unknown("UNKNOWN_VARIANT", "variant", variant, names, `${id}: ${all}`);
  }

  /** One entry an id, without texts. `pageSize` 0 is all. Throws INVALID_PAGE. */
  list(options: { family: string; pageSize: number; pageToken: string }): CataloguePage {
    if (options.pageSize < 0) {
      throw new FleetError("INVALID_PAGE", `page_size is ${options.pageSize}; it must not be negative`, {
        violations: [{ field: "page_size", description: "must be 0 (all) or more" }],
      });
    }
    const after = readToken(options.pageToken, options.family);
    const matching = this.#defaults.filter(
      (environment) =>
        (options.family === "" || environment.family === options.family) &&
        (after === undefined ||
          compare(environment.family, after.family) > 0 ||
          (environment.family === after.family && compare(environment.id, after.id) > 0)),
    );
    const page = options.pageSize === 0 ? matching : matching.slice(0, options.pageSize);
    const last = page.at(-1);
    return {
      environments: page.map(withoutTexts),
      nextPageToken: last === undefined || page.length === matching.length ? "" : writeToken(last, options.family),
    };
  }
}

/** The BASIC view. */
export function withoutTexts(environment: rollout.Environment): rollout.Environment {
  return { ...environment, texts: undefined };
}

function defaultOf(variants: ReadonlyMap<string, rollout.Environment>): rollout.Environment | undefined {
  const any = variants.values().next().value;
  return variants.get(any?.variants[0] ?? "") ?? any;
}

function unknown(
  reason: "UNKNOWN_ENVIRONMENT" | "UNKNOWN_VARIANT",
  what: string,
  name: string,
  all: string[],
  next: string,
) {
  const near = nearest(name, all);
  const hint = near.length === 0 ? "" : ` Did you mean ${near.join(" or ")}?`;
  return new FleetError(reason, `no ${what} is called "${name}".${hint} ${sentence(next)}`, {
    metadata: { [what]: name, nearest: near.join(",") },
  });
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** A token holds the filter it was made for: the pages of another list are not continued. */
function writeToken(last: rollout.Environment, family: string): string {
  return Buffer.from(JSON.stringify([family, last.family, last.id])).toString("base64url");
}

function readToken(token: string, family: string): { family: string; id: string } | undefined {
  if (token === "") return undefined;
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    if (Array.isArray(parts) && parts.length === 3 && parts[0] === family) {
      return { family: String(parts[1]), id: String(parts[2]) };
    }
  } catch {
    // Said below.
  }
  throw new FleetError("INVALID_PAGE", "page_token was not made by this list with these filters; start without one", {
    violations: [{ field: "page_token", description: "is unknown, or belongs to a list with another family" }],
  });
}

/** By code unit, not by locale: the order must be the same everywhere. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
