// What `npm start` does, from the recording that it ships with: the run replays to its digest, and the demonstration ends with
// a policy that succeeds on seeds that it was not selected on, a picture and a video.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { optimizer } from "@promptpo/client";
import { type Fleet, startFleet } from "@promptpo/fleet";
import { temporaryFolder } from "@promptpo/fleet/testing.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { promptpo } from "./testing/command.ts";
import { replay } from "./testing/replay.ts";

const recording = resolve(import.meta.dirname, "../recordings/demo");
const scratch = temporaryFolder("promptpo-demo");

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({
    folder: join(scratch, "data"),
    purpose: "demo test",
    env: process.env,
    recording: { folder: recording, mode: "replay" },
  });
}, 120_000);
afterAll(() => fleet?.stop());

test("the recorded run replays to the digest that it was recorded with, and improves", async () => {
  const { run, recordedDigest, sameFingerprint } = await replay(fleet, recording, { exactEverywhere: false });
  expect(run.state).toBe(optimizer.RunState.RUN_STATE_SUCCEEDED);
  // On another fingerprint the last bits of returns differ, and so does the digest.
  if (sameFingerprint) expect(run.digest).toBe(recordedDigest);
  const best = Math.max(...run.rounds.slice(1).map(({ winnerScore }) => winnerScore?.meanReturn ?? Number.NaN));
  expect(best).toBeGreaterThan(run.rounds[0]?.winnerScore?.meanReturn ?? Number.NaN);
  expect(run.result?.heldoutScore?.successRate).toBeGreaterThan(0.9);
});

test("npm start ends with the policy, its scores, a picture and a video", async () => {
  const out = join(scratch, "out");
  const ended = await promptpo(fleet.folder, "demo", "--out", out);
  expect(ended.code, ended.err).toBe(0);
  expect(ended.err).toMatch(/^recorded answers from \S+.*, \d{4}-\d\d-\d\d$/m);
  expect(ended.err).not.toContain("WARNING");
  expect(ended.out).toMatch(/selection\s+held-out/);
  expect(ended.out).toContain("def act(self, obs)");
  const [folder = ""] = readdirSync(out);
  const files = readdirSync(join(out, folder));
  expect(files).toEqual(expect.arrayContaining(["learning-curve.png", "learning-curve.svg", "policy.py", "run.json"]));
  expect(
    readFileSync(join(out, folder, "learning-curve.png"))
      .subarray(1, 4)
      .toString(),
  ).toBe("PNG");
  const video = files.find((name) => name.endsWith(".mp4"));
  // A machine that can not draw says so instead.
  if (video === undefined) expect(ended.out).toContain("no video:");
  else expect(statSync(join(out, folder, video)).size).toBeGreaterThan(1_000);
  expect(existsSync(join(fleet.folder, "fleet.json"))).toBe(true);
});
