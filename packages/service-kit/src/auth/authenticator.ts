/**
 * Who calls: bearer tokens, one or several a tenant. Off when none are configured.
 *
 * Owns the comparison (constant time, by digest, every token tried) and the rules of `x-promptpo-tenant`. It refuses to
 * tell a wrong token from a missing tenant.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Metadata } from "@grpc/grpc-js";
import { FleetError } from "../errors/fleet-error.ts";
import { HEADER } from "../rpc/limits.ts";

/** Tenant -> token or tokens. The tenant `*` is a service that acts for any tenant. */
export type Tokens = Readonly<Record<string, string | readonly string[]>>;

/** The calling tenant; throws UNAUTHENTICATED or PERMISSION_DENIED. */
export type Authenticator = (metadata: Metadata) => string;

export const DEFAULT_TENANT = "default";
const SERVICE = "*";
const TENANT = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** Without tokens everybody is the default tenant, whatever the headers say. */
export function createAuthenticator(tokens: Tokens | undefined): Authenticator {
  if (tokens === undefined || Object.keys(tokens).length === 0) return () => DEFAULT_TENANT;
  const known = Object.entries(tokens).flatMap(([tenant, one]) =>
    (typeof one === "string" ? [one] : one).map((token) => ({ tenant, digest: digest(token) })),
  );
  return (metadata) => {
    const token = bearer(metadata);
    if (token === undefined) {
      throw new FleetError(
        "UNAUTHENTICATED",
        "the call carries no bearer token; send the metadata authorization: Bearer TOKEN",
      );
    }
    const shown = digest(token);
    let tenant: string | undefined;
    // No early end: the time must not tell which token was near.
    for (const one of known) if (timingSafeEqual(one.digest, shown)) tenant = one.tenant;
    if (tenant === undefined) {
      throw new FleetError(
        "UNAUTHENTICATED",
        "the bearer token is not one of this service's; ask its operator for one",
      );
    }
    return onBehalfOf(tenant, metadata);
  };
}

function onBehalfOf(tenant: string, metadata: Metadata): string {
  const [asked] = metadata.get(HEADER.tenant);
  if (typeof asked !== "string" || asked === "") return tenant === SERVICE ? DEFAULT_TENANT : tenant;
  if (tenant !== SERVICE && asked !== tenant) {
    throw new FleetError(
      "PERMISSION_DENIED",
      `the token's tenant may not act for another one; leave the metadata ${HEADER.tenant} out`,
    );
  }
  if (!TENANT.test(asked)) {
    throw new FleetError(
      "INVALID_ARGUMENT",
      `the metadata ${HEADER.tenant} must be a-z, 0-9, - and _, 63 characters at most`,
    );
  }
  return asked;
}

function bearer(metadata: Metadata): string | undefined {
  const [value] = metadata.get(HEADER.authorization);
  if (typeof value !== "string") return undefined;
  return /^bearer +(\S+)$/i.exec(value.trim())?.[1];
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
