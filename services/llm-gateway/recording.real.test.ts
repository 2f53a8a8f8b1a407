// Recording and replay through the whole service.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { llm } from "@promptpo/contracts";
import { freshDatabase, type TestDatabase } from "@promptpo/fleet/testing.ts";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { ask, type Fields, failureOf } from "./testing/ask.ts";
import { requestFor } from "./testing/calls.ts";
import { type GatewayClient, spawnGateway, startGateway } from "./testing/gateway-under-test.ts";
import { answer, gate, held, type ScriptedUpstream, scriptedUpstream } from "./testing/scripted-upstream.ts";

const { Completion_Source: Source, RecordedAnswer_Match: Match, ReplayTolerance } = llm;

let db: TestDatabase;
let upstream: ScriptedUpstream;
let folder = "";
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(() => db.drop());
beforeEach(async () => {
  upstream = await scriptedUpstream(answer(({ index }) => `answer ${index}\n`, { model: "true-name-1", usage: null }));
  folder = await mkdtemp(join(tmpdir(), "recording-"));
});
afterEach(async () => {
  await upstream[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const record = (into = folder) =>
  startGateway({
    DATABASE_URL: db.url,
    OPENAI_BASE_URL: upstream.url,
    PROMPTPO_RECORDING: into,
    PROMPTPO_RECORDING_MODE: "record",
  });
const replay = (more: Record<string, string> = {}) =>
  startGateway({ DATABASE_URL: db.url, OPENAI_BASE_URL: upstream.url, PROMPTPO_RECORDING: folder, ...more });

const askAt = (client: GatewayClient, prompt: string, fields: Fields = {}) =>
  ask({ client }, prompt, { place: "r1/c00/policy/0", ...fields });

const AWKWARD = "def act(self, obs):\r\n\treturn 1  \n\n\n  trailing \u0000 🙂 \u2028 end";

test("a recording replays byte for byte in another process, without provider, tenant, model or answer log", async () => {
  upstream.script(answer(AWKWARD, { model: "true-name-1" }));
  {
    await using gateway = await record();
    await askAt(gateway.client, "first", { requestId: "rec-1", runId: "run-a" });
    await askAt(gateway.client, "second", { place: "r1/c01/policy/0", sampling: { temperature: 1 } });
  }
  expect((await readdir(folder)).sort()).toEqual(["r1_c00_policy_0.yaml", "r1_c01_policy_0.yaml", "recording.yaml"]);

  await using other = await freshDatabase();
  await using gateway = await spawnGateway({ DATABASE_URL: other.url, PROMPTPO_RECORDING: folder });
  const first = await askAt(gateway.client, "first", { model: "whatever", requestId: "rep-1", runId: "run-b" });
  expect(first).toMatchObject({
    text: AWKWARD,
    model: "true-name-1",
    source: Source.SOURCE_RECORDING,
    provider: "",
    usage: { promptTokens: 11n, completionTokens: 7n, estimated: false },
    cost: { known: false },
    recorded: { model: "true-name-1", match: Match.MATCH_EXACT, difference: "" },
  });
  expect(first.recorded?.date).toMatch(/^\d{4}-\d\d-\d\d$/);
  const second = await askAt(gateway.client, "second", { place: "r1/c01/policy/0", sampling: { temperature: 1 } });
  expect(second).toMatchObject({ text: "answer 1\n", usage: { estimated: true } });
  const pieces: string[] = [];
  for await (const { part } of gateway.client.streamComplete({
    request: requestFor("first", { place: "r1/c00/policy/0" }),
  })) {
    if (part?.$case === "delta") pieces.push(part.value);
  }
  expect(pieces.join("")).toBe(AWKWARD);
  expect((await gateway.client.listModels({ pageSize: 0, pageToken: "" })).models).toMatchObject([
    { name: "true-name-1", provider: "recording" },
  ]);
  expect((await gateway.client.getUsage({ runId: "run-b" })).rows).toMatchObject([
    { providerCallCount: 0n, freeCallCount: 1n, usage: { promptTokens: 0n } },
  ]);
  expect(upstream.exchanges).toHaveLength(2);
});

test("a recording goes on after a crash: what is there is replayed, the rest is asked", async () => {
  {
    await using doomed = await spawnGateway({
      DATABASE_URL: db.url,
      OPENAI_BASE_URL: upstream.url,
      PROMPTPO_RECORDING: folder,
      PROMPTPO_RECORDING_MODE: "record",
    });
    await askAt(doomed.client, "one", { place: "r0/all/feedback/0" });
    upstream.script(held(gate().opened, answer("lost")));
    const lost = failureOf(askAt(doomed.client, "two"));
    await upstream.arrived(2);
    await doomed.kill();
    await lost;
  }
  await using gateway = await record();
  expect(await askAt(gateway.client, "one", { place: "r0/all/feedback/0" })).toMatchObject({
    text: "answer 0\n",
    source: Source.SOURCE_RECORDING,
  });
  expect(await askAt(gateway.client, "two")).toMatchObject({ text: "answer 2\n", source: Source.SOURCE_PROVIDER });
  expect(await askAt(gateway.client, "two")).toMatchObject({ text: "answer 2\n", source: Source.SOURCE_RECORDING });
});

test("replay accepts as much difference as is allowed, by configuration or by the call, and says which", async () => {
  {
    await using gateway = await record();
    await askAt(gateway.client, "mean return 977.4, improve");
  }
  {
    await using strict = await replay();
    const miss = await failureOf(askAt(strict.client, "mean return 977.5, improve"));
    expect(miss.reason).toBe("RECORDING_MISS");
    expect(miss.message).toContain("r1/c00/policy/0");
    expect(miss.message).toContain('+ asked:    "mean return 977.5, improve"');
    const masked = { replayTolerance: ReplayTolerance.REPLAY_TOLERANCE_MASKED_NUMBERS };
    expect((await askAt(strict.client, "mean return 977.5, improve", masked)).recorded).toMatchObject({
      match: Match.MATCH_MASKED_NUMBERS,
      difference: expect.stringContaining("977.4"),
    });
    expect((await failureOf(askAt(strict.client, "mean return 977.5, explain", masked))).reason).toBe("RECORDING_MISS");
  }
  await using lenient = await replay({ PROMPTPO_REPLAY_TOLERANCE: "place" });
  expect((await askAt(lenient.client, "something else")).recorded).toMatchObject({
    match: Match.MATCH_PLACE,
    difference: expect.stringContaining("something else"),
  });
  const exact = { replayTolerance: ReplayTolerance.REPLAY_TOLERANCE_EXACT };
  expect((await failureOf(askAt(lenient.client, "something else", exact))).reason).toBe("RECORDING_MISS");
  // A provider is configured all the while: replay never goes there.
  expect(upstream.exchanges).toHaveLength(1);
});

test("a miss does not stick to its request id: once it is recorded the same id is answered", async () => {
  const requestId = "missed-then-recorded";
  {
    await using gateway = await replay();
    expect((await failureOf(askAt(gateway.client, "new", { requestId }))).reason).toBe("RECORDING_MISS");
    expect(await gateway.client.getCompletion({ requestId })).toMatchObject({
      state: llm.CallState.CALL_STATE_FAILED,
      errorReason: "RECORDING_MISS",
    });
  }
  await using gateway = await record();
  expect((await askAt(gateway.client, "new", { requestId })).text).toBe("answer 0\n");
});

test("a damaged file is named to the call that needs it, and to no other", async () => {
  {
    await using gateway = await record();
    await askAt(gateway.client, "one");
    await askAt(gateway.client, "two", { place: "r1/c01/policy/0" });
  }
  const path = join(folder, "r1_c00_policy_0.yaml");
  await writeFile(path, (await readFile(path, "utf8")).slice(0, 300));
  await using gateway = await replay();
  const error = await failureOf(askAt(gateway.client, "one"));
  expect(error.reason).toBe("RECORDING_DAMAGED");
  expect(error.message).toContain(path);
  expect((await askAt(gateway.client, "two", { place: "r1/c01/policy/0" })).text).toBe("answer 1\n");
});

test("of several recordings the one of the model that is asked for answers", async () => {
  const second = join(folder, "second");
  {
    await using gateway = await record();
    await askAt(gateway.client, "prompt 1");
  }
  {
    upstream.usually(answer("from the other", { model: "true-name-2" }));
    await using gateway = await record(second);
    await askAt(gateway.client, "prompt 2");
  }
  await using both = await replay({ PROMPTPO_RECORDING: `${folder},${second}`, PROMPTPO_REPLAY_TOLERANCE: "masked" });
  expect((await askAt(both.client, "prompt 2", { model: "true-name-1" })).text).toBe("from the other");
  expect((await askAt(both.client, "prompt 3", { model: "true-name-1" })).text).toBe("answer 0\n");
  expect((await askAt(both.client, "prompt 3", { model: "true-name-2" })).text).toBe("from the other");
});

test("a folder that is not there is a named problem of the configuration", async () => {
  await expect(replay({ PROMPTPO_RECORDING: join(folder, "missing") })).rejects.toThrow(/PROMPTPO_RECORDING.*missing/s);
  await expect(replay({ PROMPTPO_RECORDING: "", PROMPTPO_RECORDING_MODE: "replay" })).rejects.toThrow(/needs a folder/);
});
