/**
 * TLS and metadata of a client: what proves to the server who calls, and what of the call goes along.
 */
import { readFileSync } from "node:fs";
import { ChannelCredentials, Metadata } from "@grpc/grpc-js";
import type { CallOptions } from "../rpc/call-context.ts";
import { HEADER } from "../rpc/limits.ts";
import type { Pem, TlsOptions } from "./client-types.ts";

/** Files are read now: a wrong path fails here, not at the first call. */
export function channelCredentials(tls: TlsOptions | undefined): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new TypeError(
      "a client certificate needs its key, and a key its certificate: give tls.cert and tls.key together",
    );
  }
  return ChannelCredentials.createSsl(readPem("ca", tls.ca), readPem("key", tls.key), readPem("cert", tls.cert));
}

export function callMetadata(token: string | undefined, call: CallOptions | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set(HEADER.authorization, `Bearer ${token}`);
  if (call?.tenant !== undefined) metadata.set(HEADER.tenant, call.tenant);
  if (call?.requestId !== undefined) metadata.set(HEADER.requestId, call.requestId);
  if (call?.traceparent !== undefined) metadata.set(HEADER.traceparent, call.traceparent);
  return metadata;
}

function readPem(field: string, pem: Pem | undefined): Buffer | null {
  if (pem === undefined) return null;
  if (typeof pem !== "string") return Buffer.from(pem);
  try {
    return readFileSync(pem);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
    throw new Error(`tls.${field}: the file ${pem} can not be read (${code}); name a PEM file, or give its bytes`, {
      cause,
    });
  }
}
