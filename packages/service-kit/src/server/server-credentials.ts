/**
 * TLS of a server from its configuration: certificate and key turn it on, the authorities make it mutual.
 */
import { readFileSync } from "node:fs";
import { ServerCredentials } from "@grpc/grpc-js";
import type { BaseConfig } from "../config/base-config.ts";
import { ConfigError, type ConfigProblem } from "../config/config-error.ts";

type TlsConfig = Pick<BaseConfig, "tlsCert" | "tlsKey" | "tlsCa" | "tlsClientAuth">;

/** Throws ConfigError for half a configuration or a file that can not be read. */
export function serverCredentials(config: TlsConfig): ServerCredentials {
  const { tlsCert, tlsKey, tlsCa, tlsClientAuth } = config;
  if (tlsCert === undefined && tlsKey === undefined) {
    if (tlsClientAuth === "require") refuse("PROMPTPO_TLS_CERT", "client certificates need TLS, which has none");
    return ServerCredentials.createInsecure();
  }
  if (tlsCert === undefined) return refuse("PROMPTPO_TLS_CERT", "the key has no certificate");
  if (tlsKey === undefined) return refuse("PROMPTPO_TLS_KEY", "the certificate has no key");
  if (tlsClientAuth === "require" && tlsCa === undefined) {
    return refuse("PROMPTPO_TLS_CA", "client certificates are required, and nothing to check them against is given");
  }
  return ServerCredentials.createSsl(
    tlsCa === undefined ? null : readPem("PROMPTPO_TLS_CA", tlsCa),
    [{ cert_chain: readPem("PROMPTPO_TLS_CERT", tlsCert), private_key: readPem("PROMPTPO_TLS_KEY", tlsKey) }],
    tlsClientAuth === "require",
  );
}

export function hasTls(config: TlsConfig): boolean {
  return config.tlsCert !== undefined;
}

function readPem(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw problem({
      setting,
      where: `file ${path}`,
      why: `the file can not be read (${code})`,
      next: "Name a PEM file that exists and that this user may read.",
    });
  }
}

function refuse(setting: string, why: string): never {
  throw problem({ setting, where: "not set", why, next: "Set PROMPTPO_TLS_CERT and PROMPTPO_TLS_KEY together." });
}

function problem(one: ConfigProblem): ConfigError {
  return new ConfigError([one]);
}
