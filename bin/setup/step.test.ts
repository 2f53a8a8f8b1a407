import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../packages/fleet/src/testing.ts";
import { bringUp, isCurrent } from "./step.mjs";

/** A step whose work is to count, over an input file. */
function counting(folder: string) {
  const input = join(folder, "input.lock");
  writeFileSync(input, "first");
  const work = { runs: 0, present: false, intact: true, fails: false };
  const step = {
    name: "counting",
    title: "counting",
    inputs: () => [input, "=x64"],
    present: () => work.present,
    intact: () => work.intact,
    run: async () => {
      work.runs += 1;
      work.present = true;
      if (work.fails) throw new Error("cut short");
    },
  };
  const stamps = join(folder, "stamps");
  return { work, input, stamps, step, up: () => bringUp(step, stamps, folder, () => {}) };
}

test("a step runs once and is skipped until its inputs change", async () => {
  const folder = temporaryFolder("promptpo-step");
  const { work, input, stamps, step, up } = counting(folder);
  expect(isCurrent(step, stamps, folder)).toBe(false);
  expect(await up()).toBe("done");
  expect(await up()).toBe("current");
  work.intact = false;
  writeFileSync(input, "second");
  expect(isCurrent(step, stamps, folder)).toBe(false);
  expect(await up()).toBe("done");
  expect(work.runs).toBe(2);
});

test("a result that vanished is made again", async () => {
  const { work, up } = counting(temporaryFolder("promptpo-step"));
  await up();
  work.present = false;
  expect(await up()).toBe("done");
});

test("a step that was cut short is done again, whatever its result looks like", async () => {
  const { work, up } = counting(temporaryFolder("promptpo-step"));
  work.fails = true;
  await expect(up()).rejects.toThrow("cut short");
  work.fails = false;
  expect(await up()).toBe("done");
  expect(work.runs).toBe(2);
});

test("what other hands brought up to date is found and not made again", async () => {
  const { work, input, up } = counting(temporaryFolder("promptpo-step"));
  await up();
  writeFileSync(input, "a newer lock, installed by hand");
  expect(await up()).toBe("found");
  expect(work.runs).toBe(1);
});

test("a stamp that cannot be read counts as none", async () => {
  const folder = temporaryFolder("promptpo-step");
  const { stamps, work, up } = counting(folder);
  mkdirSync(stamps, { recursive: true });
  writeFileSync(join(stamps, "counting.json"), '{"inputs": "tor');
  expect(await up()).toBe("done");
  expect(work.runs).toBe(1);
});
