// Whole fleets on this machine: real services, a real database, one sidecar.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { readFleetState, SERVICES } from "./fleet-state.ts";
import { isServing } from "./health-check.ts";
import { processStart } from "./process-identity.mjs";
import { startFleet } from "./start-fleet.ts";
import { temporaryFolder } from "./testing.ts";

const KEY = "sk-key-of-the-test-0123456789";
const env = { ...process.env, PROMPTPO_SIDECARS: "1", OPENAI_API_KEY: KEY, DATABASE_URL: undefined };

/** Another process that opens the folder's fleet, says `{joined, pids}` and stays until its input ends. */
function other(
  folder: string,
  options: { detached?: boolean } = {},
): { child: ChildProcess; said: Promise<{ joined: boolean; pids: Record<string, number> }> } {
  const script = `import { openFleet } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
    const fleet = await openFleet({ folder: ${JSON.stringify(folder)}, purpose: "the other" });
    console.log(JSON.stringify({ joined: fleet.joined, pids: fleet.pids() }));
    process.stdin.on("end", async () => { await fleet.untilUnused(); await fleet.stop(); }).resume();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    env,
    stdio: ["pipe", "pipe", "inherit"],
    detached: options.detached ?? false,
  });
  const said = new Promise<{ joined: boolean; pids: Record<string, number> }>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line)));
    child.once("exit", (code) => reject(new Error(`it ended with ${code}`)));
  });
  return { child, said };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

const environOf = (pid: number | undefined): string => readFileSync(`/proc/${pid}/environ`, "utf8");
const isAlive = (pid: number): boolean => processStart(pid) !== undefined;

function answers(address: string): Promise<boolean> {
  const [host = "", port = ""] = address.split(":");
  return new Promise((resolve) => {
    const socket = createConnection({ host, port: Number(port) });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
  });
}

test("a fleet is joined while it is up, mends a killed service in place, waits for whoever joined, and leaves nothing", async () => {
  const folder = temporaryFolder("promptpo-fleet");
  const fleet = await startFleet({ folder, purpose: "the first", env });
  const { addresses } = fleet;
  const first = fleet.pids();
  expect(Object.keys(first).sort()).toEqual(["gateway", "optimizer", "postgres", "rollout"]);

  // Each knows what is its own and nothing else.
  expect(environOf(first["gateway"])).toContain(KEY);
  const urls = SERVICES.map((name) => {
    const environ = environOf(first[name]);
    if (name !== "gateway") expect(environ).not.toContain(KEY);
    return /DATABASE_URL=([^\0]*)/.exec(environ)?.[1] ?? "";
  });
  expect(urls.map((url) => new URL(url).pathname)).toEqual([
    "/promptpo_gateway",
    "/promptpo_rollout",
    "/promptpo_optimizer",
  ]);
  const state = readFileSync(join(folder, "fleet.json"), "utf8");
  expect(state).not.toMatch(/postgres:\/\/|sk-key/);

  // A second owner is refused by name; a command joins instead.
  await expect(startFleet({ folder, purpose: "the second", env })).rejects.toThrow(
    `held by process ${process.pid} (the first)`,
  );
  const guest = other(folder);
  expect(await guest.said).toMatchObject({ joined: true, pids: { owner: process.pid } });

  // Killed, it is back under its address, and whoever reads the state finds its new process.
  const killed = first["gateway"] ?? 0;
  process.kill(killed, "SIGKILL");
  await until(() => fleet.pids()["gateway"] !== killed && fleet.pids()["gateway"] !== undefined);
  await until(() => isServing(addresses.gateway));
  expect(readFleetState(folder)?.services.gateway).toMatchObject({
    address: addresses.gateway,
    process: { pid: fleet.pids()["gateway"] },
  });

  // The owner is done, the guest is not.
  const waited: number[] = [];
  let unused = false;
  const waiting = fleet
    .untilUnused(undefined, (users) => {
      waited.push(...users.map((user) => user.pid));
      guest.child.stdin?.end();
    })
    .then(() => {
      unused = true;
    });
  expect(unused).toBe(false);
  await waiting;
  expect(waited).toEqual([guest.child.pid]);
  const last = Object.values({ ...first, ...fleet.pids() });
  await fleet.stop();
  await fleet.stop();
  expect(last.filter(isAlive)).toEqual([]);
  expect(existsSync(join(folder, "fleet.json"))).toBe(false);
  for (const address of Object.values(addresses)) expect(await answers(address)).toBe(false);
});

test("an owner is killed: whoever comes next finds what it left, ends it, and has a fleet of its own", async () => {
  const folder = temporaryFolder("promptpo-killed");
  const dead = other(folder, { detached: true });
  const { joined, pids } = await dead.said;
  expect(joined).toBe(false);
  dead.child.kill("SIGKILL");
  await once(dead.child, "exit");
  await using fleet = await startFleet({ folder, purpose: "the next", env });
  expect(Object.values(pids).filter(isAlive)).toEqual([]);
  for (const address of Object.values(fleet.addresses)) expect(await isServing(address)).toBe(true);
});

test("a service that cannot start is named with its last words, and nothing else stays", async () => {
  const folder = temporaryFolder("promptpo-broken");
  const broken = { ...env, PROMPTPO_MODEL_TIMEOUT_MS: "soon" };
  await expect(startFleet({ folder, purpose: "broken", env: broken })).rejects.toThrow(
    /the gateway service did not start[\s\S]*PROMPTPO_MODEL_TIMEOUT_MS/,
  );
  expect(existsSync(join(folder, "fleet.json"))).toBe(false);
  expect(existsSync(join(folder, "postgres", "data", "postmaster.pid"))).toBe(false);
});
