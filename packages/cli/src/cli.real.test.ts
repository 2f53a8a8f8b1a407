// The command line over a real fleet: a run recorded with an interruption in the middle, replayed by the demonstration, and
// what commands print and exit with.
import { EventEmitter, once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readFleetState } from "@promptpo/fleet";
import { temporaryFolder } from "@promptpo/fleet/testing.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXIT } from "./exit-codes.ts";
import { runRecorder } from "./record/run-recorder.ts";
import { runCli } from "./run-cli.ts";
import { noiseWorldAnswers, scriptedModel } from "./testing/scripted-model.ts";
import type { CliWorld } from "./world.ts";

const scratch = temporaryFolder("promptpo-cli");
const recording = join(scratch, "recording");
const data = join(scratch, "data");
const stand = join(scratch, "stand.py");
writeFileSync(stand, "class NoiseWorldPolicy:\n    def act(self, obs):\n        return 0\n");

/** A command in this process: what it wrote, and a way to press Ctrl-C. */
function command(env: Record<string, string>, ...args: string[]) {
  const signals = new EventEmitter();
  let out = "";
  let err = "";
  const heard = new EventEmitter();
  const world: CliWorld = {
    stdout: {
      write: (text) => {
        out += text;
      },
    },
    stderr: {
      write: (text) => {
        err += text;
        heard.emit("text");
      },
    },
    env: { PATH: process.env["PATH"], PROMPTPO_DATA: data, PROMPTPO_SIDECARS: "1", ...env },
    signals,
  };
  const run = args[0] === "record" ? runRecorder(args.slice(1), world) : runCli(args, world);
  return {
    interrupt: () => signals.emit("SIGINT"),
    async said(text: string): Promise<void> {
      while (!err.includes(text)) await once(heard, "text");
    },
    ended: run.then((code) => ({ code, out, err })),
  };
}

const promptpo = (...args: string[]) => command({}, ...args).ended;

async function record(): Promise<void> {
  let release = (): void => {};
  let interrupted = false;
  await using model = await scriptedModel("scripted-1", async (prompt) => {
    // The second round's answers come only after somebody has pressed Ctrl-C.
    if (!interrupted && prompt.includes("return 0")) await new Promise<void>((resolve) => (release = resolve));
    return noiseWorldAnswers(prompt);
  });
  const env = { OPENAI_BASE_URL: model.baseUrl, OPENAI_API_KEY: "sk-key-of-the-test-0123456789" };
  const wanted = ["--env", "NoiseWorld-0", "--model", "scripted-1", "--rounds", "2", "--candidates", "2"];
  const args = ["record", ...wanted, "--seeds", "0..4", "--heldout", "1000..1002", "--out", recording];
  const first = command(env, ...args);
  await first.said("round 1 of 2 ended");
  first.interrupt();
  const stopped = await first.ended;
  expect(stopped.code, stopped.err).toBe(EXIT.failed);
  expect(stopped.err).toContain("--resume");
  interrupted = true;
  release();
  const second = await command(env, ...args, "--resume").ended;
  expect(second.code, second.err).toBe(EXIT.ok);
  expect(second.err).toContain("a strict replay from the folder alone comes to the same digest");
  expect(readdirSync(recording).filter((name) => name.startsWith("r1_c"))).toEqual([
    "r1_c00_policy_0.yaml",
    "r1_c01_policy_0.yaml",
  ]);
  expect(readFileSync(join(recording, "recording.yaml"), "utf8")).toMatch(
    /model: "?scripted-1"?[\s\S]*environment: NoiseWorld-0/,
  );
}

const fleet = { up: undefined as ReturnType<typeof command> | undefined };

beforeAll(async () => {
  await record();
  fleet.up = command({}, "up", "--recording", recording);
  await fleet.up.said("the fleet is up");
}, 300_000);

afterAll(async () => {
  fleet.up?.interrupt();
  const ended = await fleet.up?.ended;
  expect(ended?.code, ended?.err).toBe(EXIT.ok);
  expect(readFleetState(data)).toBeUndefined();
});

test("the demonstration replays the recording, says so in one line, and leaves its files; again it is another run", async () => {
  const out = join(scratch, "runs");
  const [first, second] = [
    await promptpo("demo", "--recording", recording, "--out", out),
    await promptpo("demo", "--recording", recording, "--out", out, "--json"),
  ];
  expect(first.code, first.err).toBe(EXIT.ok);
  expect(first.out).toMatch(/^recorded answers from scripted-1, \d{4}-\d\d-\d\d$/m);
  expect(first.out).toMatch(/mean return +27\.8 +/);
  expect(first.out).toContain("class NoiseWorldPolicy:");
  expect(first.out).toContain("(estimated) · unpriced");
  expect(first.err).not.toContain("WARNING");
  const document: unknown = JSON.parse(second.out);
  expect(document).toMatchObject({ selection: { mean_return: 27.8, success_rate: 0.4 }, no_video: "" });
  const runs = readdirSync(out);
  expect(runs).toHaveLength(2);
  for (const run of runs)
    expect(
      readdirSync(join(out, run))
        .map((name) => name.replace(/\d+/, "N"))
        .sort(),
    ).toEqual(["episode-N.mp4", "learning-curve.png", "learning-curve.svg", "policy.py", "run.json"]);
});

test("runs are listed, read, watched from the beginning and digested; a finished one cannot be cancelled", async () => {
  expect((await promptpo("demo", "--recording", recording, "--out", join(scratch, "more"))).code).toBe(EXIT.ok);
  const listed = await promptpo("list", "--json");
  const id = (JSON.parse(listed.out.split("\n")[0] ?? "") as { id: string }).id;
  const digest = await promptpo("get", id, "--digest");
  expect(digest.out).toMatch(/^[0-9a-f]{64}\n$/);
  expect((await promptpo("list")).out).toContain(id);
  expect((await promptpo("get", id, "--full")).out).toContain("return 1 if row == 3");
  expect((await promptpo("show", `${id}/r1/c00`)).out).toContain("return 0");
  const watched = await promptpo("watch", id, "--json");
  const events = watched.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: { sequence: string } });
  expect(events.map(({ event }) => Number(event.sequence))).toEqual(events.map((_, at) => at + 1));
  expect(watched.out).toContain('"runEnded"');
  expect((await promptpo("cancel", id)).code).toBe(EXIT.precondition);
});

test("an evaluation prints exactly its document, its failed episodes included, and says by its exit code that some failed", async () => {
  const good = await promptpo("eval", stand, "--env", "NoiseWorld-0", "--seeds", "7,0..1", "--json");
  expect(good.code, good.err).toBe(EXIT.ok);
  const { versions, ...rest } = JSON.parse(good.out) as Record<string, unknown>;
  const episode = (seed: number) => ({
    seed,
    return: -25,
    success: false,
    length: 25,
    terminated: false,
    truncated: true,
    error: null,
  });
  expect(rest).toEqual({
    environment: "NoiseWorld-0",
    episodes: [episode(7), episode(0), episode(1)],
    mean_return: -25,
    success_rate: 0,
  });
  expect(versions).toHaveProperty("numpy");
  const broken = join(scratch, "broken.py");
  writeFileSync(broken, "class P:\n    def act(self, obs)\n        return 0\n");
  const bad = await promptpo("eval", broken, "--env", "NoiseWorld-0", "--seeds", "0");
  expect(bad.code).toBe(EXIT.failed);
  expect(bad.out).toMatch(/SYNTAX \(line 2, column \d+\)/);
});

test("whatever is wrong has its exit code and says what helps", async () => {
  const cases: [string[], number, RegExp][] = [
    [["eval", stand, "--env", "NoiseWorld0", "--seeds", "0"], EXIT.notFound, /NoiseWorld-0/],
    [["eval", stand, "--env", "NoiseWorld-0", "--seeds", "4..0"], EXIT.usage, /backwards/],
    [["eval", join(scratch, "none.py"), "--env", "NoiseWorld-0", "--seeds", "0"], EXIT.usage, /does not exist/],
    [["get", "run-nothere"], EXIT.notFound, /promptpo list/],
    [["fly"], EXIT.usage, /unknown command/],
    [["call", "ListEnvironmentz"], EXIT.notFound, /did you mean ListEnvironments/],
    [["call", "ListRuns", "-d", '{"pageSiz": 1}'], EXIT.usage, /pageSize/],
    [["demo", "--env", "NoiseWorld-0", "--model", "a-model"], EXIT.precondition, /OPENAI_API_KEY/],
    [["demo", "--env", "NoiseWorld-0"], EXIT.usage, /--model/],
    [["demo", "--recording", join(scratch, "nothing")], EXIT.precondition, /no recording in/],
    [["run", "NoiseWorld-0", "--model", "scripted-1", "--rounds", "zero"], EXIT.usage, /--rounds/],
  ];
  for (const [args, code, words] of cases) {
    const ended = await promptpo(...args);
    expect([args.join(" "), ended.code]).toEqual([args.join(" "), code]);
    expect(ended.err).toMatch(words);
    expect(ended.out).toBe("");
  }
});

test("any method is called by reflection, in proto JSON, a stream's messages one a line", async () => {
  const methods = (await promptpo("call")).out.trim().split("\n");
  expect(methods).toContain("promptpo.rollout.v1.RolloutService/EvaluatePolicy");
  const source = JSON.stringify(readFileSync(stand, "utf8"));
  const request = `{"environment": "NoiseWorld-0", "policySource": ${source}, "seeds": ["3", "4"]}`;
  const { out, err } = await promptpo("call", "RolloutService/EvaluatePolicy", "-d", request);
  const messages = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  expect(messages, err).toHaveLength(3);
  expect(messages[0]).toEqual({ episode: { seed: "3", returnValue: -25, length: "25", truncated: true } });
  expect(messages[2]).toHaveProperty("summary.fingerprint.digest");
});

test("the doctor finds the fleet and everything in it", async () => {
  const { code, out } = await promptpo("doctor", "--json");
  const findings = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { name: string; state: string });
  expect(code, out).toBe(EXIT.ok);
  expect(findings.filter((finding) => finding.state === "missing")).toEqual([]);
  expect(findings.map((finding) => finding.name)).toContain("fingerprint");
  expect(existsSync(join(data, "fleet.json"))).toBe(true);
});
