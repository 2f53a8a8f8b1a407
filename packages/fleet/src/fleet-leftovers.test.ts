import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { stopLeftoverServices } from "./fleet-leftovers.ts";
import type { FleetState } from "./fleet-state.ts";
import { silentLog } from "./log.ts";
import { processStart } from "./process-identity.mjs";

function stateWith(process: { pid: number; start: string }): FleetState {
  const service = { address: "127.0.0.1:1", metrics: "127.0.0.1:2" };
  return {
    version: 1,
    phase: "up",
    owner: { pid: 1, start: "gone" },
    since: "2026-11-24T00:00:00Z",
    purpose: "a killed one",
    services: { gateway: { ...service, process }, rollout: service, optimizer: service },
  };
}

test("a service that outlived its owner is ended; a stranger that got its number is not", async () => {
  const child = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
  const pid = child.pid ?? 0;
  const start = processStart(pid) ?? "";
  expect(await stopLeftoverServices(stateWith({ pid, start: "another boot/1" }), silentLog)).toEqual([]);
  expect(processStart(pid)).toBe(start);
  const ended = once(child, "exit");
  expect(await stopLeftoverServices(stateWith({ pid, start }), silentLog)).toEqual([pid]);
  await ended;
});
