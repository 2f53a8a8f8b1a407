/**
 * `host:port` of a listener or target. IPv6 hosts stand in brackets. Port 0 asks for a free one.
 */
import { isIP } from "node:net";
import { z } from "zod";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The two parts; undefined when the text is not `host:port`. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const host = match[1] ?? match[2];
  const port = Number(match[3]);
  if (host === undefined || port > 65_535) return undefined;
  if (match[1] !== undefined && isIP(match[1]) !== 6) return undefined;
  return { host, port };
}

/** `host:port`, IPv6 in brackets. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only this machine can reach a listener on the host. A name that is not an address counts as reachable. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** A setting of the form `host:port`. */
export function address(): z.ZodType<string, string> {
  return z.string().refine((text) => parseAddress(text) !== undefined, "must be host:port (an IPv6 host in brackets)");
}
