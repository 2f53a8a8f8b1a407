// Canonical JSON (RFC 8785) and the digests made of it. Refuses what JSON cannot say (NaN, infinities, undefined):
// callers turn such values into something that can be told before they ask for a digest.
import { createHash } from "node:crypto";
import canonicalize from "canonicalize";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export function canonicalJson(value: Json): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("not a JSON value");
  return text;
}

/** Lower-case hex sha-256 of UTF-8 text or bytes. */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

export function sha256OfCanonical(value: Json): string {
  return sha256(canonicalJson(value));
}
