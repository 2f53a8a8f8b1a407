// Canonical JSON (RFC 8785) and the digests made of it. Refuses what JSON can not say (NaN, infinities, bigint, half a
// surrogate pair) with a TypeError: callers turn such values into something that can be told before they ask for a digest.
// Minus zero is told as 0, as the RFC has it. `undefined` is kept out by the type; inside an object it would be left out.
import { createHash } from "node:crypto";
import canonicalize from "canonicalize";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export function canonicalJson(value: Json): string {
  let text: string | undefined;
  try {
    text = canonicalize(value);
  } catch (error) {
    throw new TypeError(`not a JSON value: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  if (text === undefined) throw new TypeError("not a JSON value: undefined");
  return text;
}

/** Lower-case hex sha-256 of UTF-8 text or bytes. */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

export function sha256OfCanonical(value: Json): string {
  return sha256(canonicalJson(value));
}
