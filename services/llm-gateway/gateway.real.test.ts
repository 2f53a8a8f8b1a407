import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { llm } from "@promptpo/contracts";
import { freshDatabase, type TestDatabase } from "@promptpo/fleet/testing.ts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ask, askStreamed, type Fields, failureOf } from "./testing/ask.ts";
import { requestFor } from "./testing/calls.ts";
import { startGateway, type TestGateway } from "./testing/gateway-under-test.ts";
import {
  answer,
  cut,
  gate,
  held,
  refuse,
  type ScriptedUpstream,
  scriptedUpstream,
} from "./testing/scripted-upstream.ts";

const { Completion_Source: Source } = llm;

let db: TestDatabase;
let upstream: ScriptedUpstream;
let gateway: TestGateway;
beforeAll(async () => {
  db = await freshDatabase();
  upstream = await scriptedUpstream(answer(({ index }) => `answer ${index}`));
  gateway = await startGateway({ DATABASE_URL: db.url, OPENAI_BASE_URL: upstream.url });
});
beforeEach(() => upstream.reset());
afterAll(async () => {
  await gateway.stop();
  await upstream[Symbol.asyncDispose]();
  await db.drop();
});

let made = 0;
/** An id that no other test of this file uses: they share a database. */
const freshId = (): string => `request-${made++}`;

const complete = (prompt: string, fields: Fields = {}, at = gateway) => ask(at, prompt, fields);
const collect = (prompt: string, fields: Fields = {}) => askStreamed(gateway, prompt, fields);

describe("one answer", () => {
  test("has text, model, tokens, provider, keys", async () => {
    upstream.script(answer("hello there", { model: "test-model-2026" }));
    const completion = await complete("hi", { place: "r1/c00/policy/0" });
    expect(completion).toMatchObject({
      text: "hello there",
      model: "test-model-2026",
      finishReason: llm.Completion_FinishReason.FINISH_REASON_STOP,
      usage: { promptTokens: 11n, completionTokens: 7n, estimated: false },
      cost: { known: false },
      source: Source.SOURCE_PROVIDER,
      provider: new URL(upstream.url).host,
      requestId: "",
    });
    expect(completion.cacheKey).toMatch(/^[0-9a-f]{64}$/);
    expect(completion.recordingKey).toMatch(/^[0-9a-f]{64}$/);
    expect(completion.createTime).toBeDefined();
  });

  test("streamed: its pieces are its text, and the completion comes last", async () => {
    upstream.script(answer("one two three four"));
    const { pieces, completion } = await collect("hi", { model: "streamed" });
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join("")).toBe("one two three four");
    expect(completion).toMatchObject({ text: "one two three four", usage: { promptTokens: 11n } });
  });

  test("a bad request is told by field and asks nobody", async () => {
    const error = await failureOf(complete("hi", { model: "", messages: [] }));
    expect(error.reason).toBe("INVALID_ARGUMENT");
    expect(error.violations?.map(({ field }) => field)).toEqual(["model", "messages"]);
    expect(upstream.exchanges).toHaveLength(0);
  });

  test("a caller's deadline ends the call upstream", async () => {
    upstream.script(held(gate().opened, answer("never")));
    const error = await failureOf(gateway.client.complete(requestFor("slow"), { timeoutMs: 300 }));
    expect(error.reason).toBe("DEADLINE_EXCEEDED");
    await (await upstream.arrived(1)).gone;
  });

  test("a timeout of its own ends it with a word on what to do", async () => {
    upstream.script(held(gate().opened, answer("never")));
    const error = await failureOf(complete("slow", { timeout: { seconds: 0n, nanos: 200_000_000 } }));
    expect(error.reason).toBe("DEADLINE_EXCEEDED");
    await (await upstream.arrived(1)).gone;
  });
});

describe("cache and samples", () => {
  test("30 identical calls at once are one call upstream", async () => {
    const { open, opened } = gate();
    upstream.script(held(opened, answer("one")));
    const calls = Array.from({ length: 30 }, () => complete("thirty"));
    await upstream.arrived(1);
    // The others join while the first is held; a later one finds the cache.
    open();
    const answers = await Promise.all(calls);
    expect(upstream.exchanges).toHaveLength(1);
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(["one"]));
    expect(answers.filter(({ source }) => source === Source.SOURCE_PROVIDER)).toHaveLength(1);
  });

  test("5 samples of one prompt are 5 answers, and asked again the same 5", async () => {
    const ask = () =>
      Promise.all(
        [0n, 1n, 2n, 3n, 4n].map((index) =>
          complete("samples", { sampling: { temperature: 1 }, sample: { namespace: "run-seed-0", index } }),
        ),
      );
    const first = await ask();
    expect(upstream.exchanges).toHaveLength(5);
    expect(new Set(first.map(({ text }) => text)).size).toBe(5);
    const second = await ask();
    expect(second.map(({ text }) => text)).toEqual(first.map(({ text }) => text));
    expect(upstream.exchanges).toHaveLength(5);
    expect(second.every(({ source, cost }) => source === Source.SOURCE_CACHE && cost?.microUsd === 0n)).toBe(true);
  });

  test("a batch gives each sample as it comes; one that fails leaves the others", async () => {
    upstream.usually((exchange) =>
      exchange.index === 1 ? refuse(400, "no")(exchange) : answer(`sample ${exchange.index}`)(exchange),
    );
    const outcomes = new Map<bigint, string>();
    const batch = gateway.client.batchComplete({
      request: requestFor("batch", { sample: { namespace: "n", index: 10n }, requestId: freshId() }),
      sampleCount: 3,
    });
    for await (const { index, outcome } of batch) outcomes.set(index, outcome?.$case ?? "none");
    expect([...outcomes.keys()].sort()).toEqual([10n, 11n, 12n]);
    expect([...outcomes.values()].sort()).toEqual(["completion", "completion", "errorReason"]);
  });

  test("modes: no-cache neither reads nor writes, refresh writes, only-if-cached asks nobody", async () => {
    const mode = (cacheMode: llm.CacheMode) => complete("modes", { cacheMode });
    const miss = await failureOf(mode(llm.CacheMode.CACHE_MODE_ONLY_IF_CACHED));
    expect(miss.reason).toBe("NOT_FOUND");
    expect((await mode(llm.CacheMode.CACHE_MODE_NO_CACHE)).text).toBe("answer 0");
    expect((await failureOf(mode(llm.CacheMode.CACHE_MODE_ONLY_IF_CACHED))).reason).toBe("NOT_FOUND");
    expect((await mode(llm.CacheMode.CACHE_MODE_USE)).text).toBe("answer 1");
    expect((await mode(llm.CacheMode.CACHE_MODE_REFRESH)).text).toBe("answer 2");
    expect((await mode(llm.CacheMode.CACHE_MODE_ONLY_IF_CACHED)).text).toBe("answer 2");
    expect((await mode(llm.CacheMode.CACHE_MODE_NO_CACHE)).text).toBe("answer 3");
    expect((await mode(llm.CacheMode.CACHE_MODE_USE)).text).toBe("answer 2");
  });

  test("a cached answer is streamed too", async () => {
    await complete("cached stream");
    const { pieces, completion } = await collect("cached stream");
    expect(pieces.join("")).toBe("answer 0");
    expect(completion?.source).toBe(Source.SOURCE_CACHE);
  });

  test.each([
    ["cut by a limit", answer("half", { finish: "length" })],
    ["without a finish_reason", answer("half", { finish: null })],
    ["refused", refuse(400, "no")],
  ])("what is %s is not cached", async (name, act) => {
    upstream.script(act);
    await complete(name).catch(() => undefined);
    expect((await complete(name)).text).toBe("answer 1");
    expect(upstream.exchanges).toHaveLength(2);
  });

  test("a caller that leaves does not cancel the others; the last one does", async () => {
    const { open, opened } = gate();
    upstream.script(held(opened, answer("shared")), held(gate().opened, answer("never")));
    const [one, two] = [new AbortController(), new AbortController()];
    const leaves = gateway.client.complete(requestFor("leaving"), { signal: one.signal });
    await upstream.arrived(1);
    const stays = gateway.client.complete(requestFor("leaving"), { signal: two.signal });
    one.abort();
    expect((await failureOf(leaves)).reason).toBe("CANCELLED");
    open();
    expect((await stays).completion?.text).toBe("shared");

    const last = gateway.client.complete(requestFor("left alone"), { signal: two.signal });
    const { gone } = await upstream.arrived(2);
    two.abort();
    expect((await failureOf(last)).reason).toBe("CANCELLED");
    await gone;
    // And the next caller begins anew instead of joining what is being stopped.
    expect((await complete("left alone")).text).toBe("answer 2");
  });
});

describe("a provider in trouble", () => {
  test("is asked again after 500, 429 and a lost connection", async () => {
    upstream.script(refuse(500, "oops"), refuse(429, "slow", { "retry-after-ms": "20" }), cut(), answer("at last"));
    expect((await complete("trouble")).text).toBe("at last");
    expect(upstream.exchanges).toHaveLength(4);
  });

  test("is not asked again when its pause does not fit into the deadline; the pause is passed on", async () => {
    upstream.script(refuse(429, "slow down", { "retry-after": "60" }));
    const error = await failureOf(gateway.client.complete(requestFor("later"), { timeoutMs: 20_000 }));
    expect(error).toMatchObject({ reason: "PROVIDER_RATE_LIMITED", retryAfterMs: 60_000 });
    expect(upstream.exchanges).toHaveLength(1);
  });

  test("is given up after the configured attempts", async () => {
    upstream.usually(refuse(503, "down"));
    expect((await failureOf(complete("down"))).reason).toBe("PROVIDER_UNAVAILABLE");
    expect(upstream.exchanges).toHaveLength(5);
  });

  test("that refuses is not asked again, and its words are passed on without secrets", async () => {
    upstream.script(refuse(400, "temperature too hot, key sk-verysecret123"));
    const error = await failureOf(complete("refused by provider"));
    expect(error.reason).toBe("PROVIDER_REFUSED");
    expect(error.message).toContain("temperature too hot");
    expect(error.message).not.toContain("verysecret");
    expect(upstream.exchanges).toHaveLength(1);
  });

  test("whose stream breaks off after the first piece is not asked again, and what came is charged", async () => {
    upstream.script(cut(["some ", "text"]));
    const runId = freshId();
    const error = await failureOf(collect("broken stream", { runId }));
    expect(error.reason).toBe("PROVIDER_UNAVAILABLE");
    expect(upstream.exchanges).toHaveLength(1);
    const { rows } = await gateway.client.getUsage({ runId });
    expect(rows).toMatchObject([{ providerCallCount: 0n, usage: { completionTokens: 3n, estimated: true } }]);
  });

  test("whose stream breaks off before any piece is asked again", async () => {
    upstream.script(cut(), answer("whole"));
    expect((await collect("early break")).pieces.join("")).toBe("whole");
  });

  test("without counts is estimated, and said to be", async () => {
    upstream.script(answer("twelve chars", { usage: null }));
    expect((await complete("12345678")).usage).toEqual({ promptTokens: 2n, completionTokens: 3n, estimated: true });
  });
});

describe("the account", () => {
  test("adds up calls that were paid and calls that were free, by model and run", async () => {
    const runId = freshId();
    await complete("account", { runId });
    await complete("account", { runId });
    const paid = { runId, requestId: freshId(), model: "other-model" };
    await complete("account", paid);
    await complete("account", paid);
    const { rows } = await gateway.client.getUsage({ runId });
    const row = (model: string) => ({
      model,
      runId,
      providerCallCount: 1n,
      freeCallCount: 1n,
      usage: { promptTokens: 11n, completionTokens: 7n, estimated: false },
      cost: { microUsd: 0n, known: false },
    });
    expect(rows).toEqual([row("other-model"), row("test-model")]);
    const before = { seconds: 1n, nanos: 0 };
    expect((await gateway.client.getUsage({ runId, endTime: before })).rows).toEqual([]);
    expect((await gateway.client.getUsage({ runId, startTime: before })).rows).toHaveLength(2);
  });

  test("has money where the price is known: charged once, with its source among the models", async () => {
    const folder = await mkdtemp(join(tmpdir(), "prices-"));
    const path = join(folder, "prices.json");
    const price = {
      model: "priced",
      prompt_micro_usd_per_million: 1_000_000,
      completion_micro_usd_per_million: 2_000_000,
      source: "https://provider.example/pricing",
      date: "2026-11-01",
    };
    await writeFile(path, JSON.stringify({ prices: [price] }));
    await using priced = await startGateway({
      DATABASE_URL: db.url,
      OPENAI_BASE_URL: upstream.url,
      PROMPTPO_PRICES: path,
      PROMPTPO_MODELS: "priced,unpriced",
    });
    await rm(folder, { recursive: true });
    const runId = freshId();
    const paid = { model: "priced", runId, requestId: freshId() };
    const cost = { microUsd: 25n, known: true };
    expect((await complete("money", paid, priced)).cost).toEqual(cost);
    expect((await complete("money", paid, priced)).cost).toEqual(cost);
    expect((await complete("money", { ...paid, requestId: "" }, priced)).cost).toEqual({ microUsd: 0n, known: true });
    expect((await complete("money", { ...paid, model: "unpriced", requestId: "" }, priced)).cost?.known).toBe(false);
    expect((await priced.client.getUsage({ runId })).rows.map((row) => row.cost)).toEqual([
      cost,
      { microUsd: 0n, known: false },
    ]);
    const { models } = await priced.client.listModels({ pageSize: 0, pageToken: "" });
    expect(models.map((model) => model.price?.promptMicroUsdPerMillion)).toEqual([1_000_000n, undefined]);
  });

  test("is what Prometheus sees, with bounded labels", async () => {
    await using fresh = await startGateway({ DATABASE_URL: db.url, OPENAI_BASE_URL: upstream.url });
    await complete("metrics", {}, fresh);
    const text = await fresh.metrics.metrics();
    expect(text).toContain('promptpo_llm_calls_total{model="other",source="provider",outcome="ok"} 1');
    expect(text).toContain("gen_ai_client_operation_duration_seconds_count");
    expect(text).toContain("promptpo_llm_cache_entries 1");
    expect(text).not.toContain("test-model");
  });
});

describe("models", () => {
  test("without a provider and a recording nobody answers, and what to do is said", async () => {
    await using lonely = await startGateway({ DATABASE_URL: db.url });
    const error = await failureOf(complete("hi", {}, lonely));
    expect(error.reason).toBe("NO_PROVIDER");
    expect(error.message).toMatch(/OPENAI_API_KEY.*OPENAI_BASE_URL.*PROMPTPO_RECORDING/);
    expect((await failureOf(lonely.client.listModels({ pageSize: 0, pageToken: "" }))).reason).toBe("NO_PROVIDER");
  });

  test("that are configured are listed in pages; others are refused with the nearest names", async () => {
    await using listed = await startGateway({
      DATABASE_URL: db.url,
      OPENAI_BASE_URL: upstream.url,
      PROMPTPO_MODELS: "gpt-x, gpt-x-mini,llama-9",
    });
    const names: string[] = [];
    let pageToken = "";
    do {
      const page = await listed.client.listModels({ pageSize: 2, pageToken });
      names.push(...page.models.map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(names).toEqual(["gpt-x", "gpt-x-mini", "llama-9"]);
    expect((await failureOf(listed.client.listModels({ pageSize: 0, pageToken: "?" }))).reason).toBe("INVALID_PAGE");
    const error = await failureOf(complete("hi", { model: "gpt-xx" }, listed));
    expect(error).toMatchObject({ reason: "UNKNOWN_MODEL", message: expect.stringContaining("Did you mean gpt-x") });
    expect((await complete("hi", { model: "llama-9" }, listed)).text).toBe("answer 0");
  });
});
