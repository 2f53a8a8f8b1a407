import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { lockHolder, tryLockFolder } from "./folder-lock.mjs";
import { temporaryFolder } from "./testing.ts";

/** A process that takes the lock, says so, and keeps it until it is killed. */
function holder(folder: string) {
  const script = `import { tryLockFolder } from ${JSON.stringify(new URL("./folder-lock.mjs", import.meta.url).href)};
    console.log(tryLockFolder(${JSON.stringify(folder)}, "lock", "the other").held);
    setInterval(() => {}, 1000);`;
  return spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
}

test("a held lock names its holder, a released one is free", () => {
  const folder = temporaryFolder("promptpo-lock");
  const first = tryLockFolder(folder, "lock", "the first");
  const second = tryLockFolder(folder, "lock", "the second");
  expect(second).toMatchObject({ held: false, holder: { pid: process.pid, purpose: "the first" } });
  if (first.held) first.release();
  expect(lockHolder(folder, "lock")).toBeUndefined();
  expect(tryLockFolder(folder, "lock", "the third").held).toBe(true);
});

test("a killed process holds nothing", async () => {
  const folder = temporaryFolder("promptpo-lock");
  const other = holder(folder);
  expect(String(await once(other.stdout, "data"))).toContain("true");
  expect(tryLockFolder(folder, "lock", "mine")).toMatchObject({ held: false, holder: { pid: other.pid } });
  other.kill("SIGKILL");
  await once(other, "exit");
  expect(tryLockFolder(folder, "lock", "mine").held).toBe(true);
});

test("of many processes that race for a stale lock exactly one gets it", async () => {
  const folder = temporaryFolder("promptpo-lock");
  const dead = holder(folder);
  await once(dead.stdout, "data");
  dead.kill("SIGKILL");
  await once(dead, "exit");
  const racers = Array.from({ length: 6 }, () => holder(folder));
  const outcomes = await Promise.all(racers.map(async (racer) => String(await once(racer.stdout, "data")).trim()));
  for (const racer of racers) racer.kill("SIGKILL");
  expect(outcomes.filter((outcome) => outcome === "true")).toHaveLength(1);
});
