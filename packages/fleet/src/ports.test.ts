import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { freePort, isPortFree } from "./ports.ts";

test("a port that a stranger holds is seen, and never given", async () => {
  const stranger = createServer().listen(0, "127.0.0.1");
  await once(stranger, "listening");
  const { port } = stranger.address() as AddressInfo;
  expect(await isPortFree(port)).toBe(false);
  stranger.close();
  await once(stranger, "close");
  expect(await isPortFree(port)).toBe(true);
});

test("no port is given twice, and none from which outgoing connections are made", async () => {
  const ports = await Promise.all(Array.from({ length: 30 }, () => freePort()));
  expect(new Set(ports).size).toBe(30);
  for (const port of ports) expect(port).toBeLessThan(32_768);
});
