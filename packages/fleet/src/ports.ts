// Picks TCP ports on loopback that a stranger neither holds now nor is likely to get later: below the
// range from which the kernel takes the ports of outgoing connections, so that a server which dies and
// comes back finds its port free.
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const LOWEST = 20_000;
/** Never a port twice within one process, even if its user has not opened it yet. */
const given = new Set<number>();

export async function freePort(): Promise<number> {
  const highest = firstEphemeralPort();
  for (let attempt = 0; attempt < 500; attempt++) {
    const port = randomInt(LOWEST, highest);
    if (given.has(port) || !(await isPortFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${highest} on 127.0.0.1`);
}

export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ host: "127.0.0.1", port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** 32768 where the system does not say otherwise. */
function firstEphemeralPort(): number {
  try {
    const first = Number(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/)[0]);
    return first > LOWEST + 1000 ? first : 32_768;
  } catch {
    return 32_768;
  }
}
