// The HTTP door, driven by the official client.

import { freePort } from "@promptpo/fleet";
import { freshDatabase, type TestDatabase } from "@promptpo/fleet/testing.ts";
import OpenAI, { APIError } from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startGateway, type TestGateway } from "./testing/gateway-under-test.ts";
import {
  answer,
  gate,
  held,
  refuse,
  type ScriptedUpstream,
  scriptedUpstream,
  streamPieces,
} from "./testing/scripted-upstream.ts";

const TOKEN = "door-token-0123456789";
let db: TestDatabase;
let upstream: ScriptedUpstream;
let gateway: TestGateway;
let base = "";
let client: OpenAI;
beforeAll(async () => {
  db = await freshDatabase();
  upstream = await scriptedUpstream(answer(({ index }) => `answer ${index}`));
  const listen = `127.0.0.1:${await freePort()}`;
  gateway = await startGateway({
    DATABASE_URL: db.url,
    OPENAI_BASE_URL: upstream.url,
    PROMPTPO_MODELS: "gpt-x,gpt-y",
    PROMPTPO_TOKENS: JSON.stringify({ alice: TOKEN }),
    PROMPTPO_OPENAI_LISTEN: listen,
    PROMPTPO_PROVIDER_ATTEMPTS: "1",
  });
  base = `http://${listen}/v1`;
  client = new OpenAI({ baseURL: base, apiKey: TOKEN, maxRetries: 0 });
});
beforeEach(() => upstream.reset());
afterAll(async () => {
  await gateway.stop();
  await upstream[Symbol.asyncDispose]();
  await db.drop();
});

const say = (content: string) => ({ model: "gpt-x", messages: [{ role: "user" as const, content }] });

test("an answer, with its usage; asked again it comes from the cache", async () => {
  const first = await client.chat.completions.create({ ...say("hi"), temperature: 0, max_completion_tokens: 9 });
  expect(first).toMatchObject({
    object: "chat.completion",
    model: "gpt-x",
    choices: [{ index: 0, message: { role: "assistant", content: "answer 0" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
  });
  expect(upstream.exchanges[0]?.body).toMatchObject({ temperature: 0, max_completion_tokens: 9 });
  const again = await client.chat.completions.create({ ...say("hi"), temperature: 0, max_completion_tokens: 9 });
  expect(again.choices).toEqual(first.choices);
  expect(again).toMatchObject({ promptpo: { choices: [{ source: "SOURCE_CACHE" }] } });
  expect(upstream.exchanges).toHaveLength(1);
});

test("a stream: pieces as they come, the end's reason, the usage when asked for", async () => {
  const { open, opened } = gate();
  upstream.script(async (exchange) => {
    streamPieces(exchange, ["one "], "gpt-x");
    await opened;
    await answer("two three")(exchange);
  });
  const pieces: string[] = [];
  let finish: string | null = null;
  let tokens: number | undefined;
  const stream = await client.chat.completions.create({
    ...say("stream"),
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const { choices, usage } of stream) {
    pieces.push(choices[0]?.delta.content ?? "");
    open();
    finish = choices[0]?.finish_reason ?? finish;
    tokens = usage?.total_tokens ?? tokens;
  }
  expect(pieces.join("")).toBe("one two three");
  expect([finish, tokens]).toEqual(["stop", 18]);
});

test("n samples are n answers, and samples are named by header", async () => {
  const three = await client.chat.completions.create({ ...say("n"), n: 3 });
  expect(new Set(three.choices.map(({ message }) => message.content)).size).toBe(3);
  const headers = { "x-promptpo-sample-index": "2" };
  const third = await client.chat.completions.create(say("n"), { headers });
  expect(third.choices[0]?.message.content).toBe(three.choices[2]?.message.content);
  expect(upstream.exchanges).toHaveLength(3);
});

test("an idempotency key is a request id: the stored answer, over gRPC too", async () => {
  const headers = { "idempotency-key": "door-1", "x-promptpo-cache": "no-cache" };
  const first = await client.chat.completions.create(say("once"), { headers });
  expect((await client.chat.completions.create(say("once"), { headers })).choices).toEqual(first.choices);
  expect(upstream.exchanges).toHaveLength(1);
  const other = client.chat.completions.create(say("twice"), { headers });
  await expect(other).rejects.toMatchObject({ status: 409, code: "request_id_reused" });
});

test("models are listed, and one is told by its name", async () => {
  const names: string[] = [];
  for await (const model of client.models.list()) names.push(model.id);
  expect(names).toEqual(["gpt-x", "gpt-y"]);
  expect((await client.models.retrieve("gpt-y")).id).toBe("gpt-y");
});

describe("a failure has OpenAI's shape", () => {
  const cases: readonly [string, () => Promise<unknown>, object][] = [
    [
      "no token",
      () =>
        new OpenAI({ baseURL: base, apiKey: "wrong-token-0123456789", maxRetries: 0 }).chat.completions.create(
          say("x"),
        ),
      { status: 401 },
    ],
    [
      "an unknown model",
      () => client.chat.completions.create({ ...say("x"), model: "gpt-z" }),
      { status: 404, code: "unknown_model" },
    ],
    [
      "a bad parameter",
      () => client.chat.completions.create({ ...say("x"), top_p: 7 }),
      { status: 400, param: "sampling.top_p" },
    ],
    [
      "tools",
      () => client.chat.completions.create({ ...say("x"), tools: [{ type: "function", function: { name: "f" } }] }),
      { status: 400, param: "tools" },
    ],
    ["an unknown path", () => client.embeddings.create({ model: "gpt-x", input: "x" }), { status: 404 }],
  ];
  test.each(cases)("%s", async (_, ask, expected) => {
    await expect(ask()).rejects.toMatchObject(expected);
    expect(upstream.exchanges).toHaveLength(0);
  });

  test("rate limits pass Retry-After on, and official clients obey it", async () => {
    upstream.script(refuse(429, "slow", { "retry-after-ms": "30" }), answer("then"));
    const patient = new OpenAI({ baseURL: base, apiKey: TOKEN, maxRetries: 1 });
    expect((await patient.chat.completions.create(say("limits"))).choices[0]?.message.content).toBe("then");
    upstream.script(refuse(429, "slow", { "retry-after": "7" }));
    const error = await client.chat.completions.create(say("limits, once")).catch((thrown: unknown) => thrown);
    expect(error instanceof APIError && error.headers?.get("retry-after")).toBe("7");
  });

  test("also within a stream that has begun", async () => {
    upstream.script((exchange) => {
      streamPieces(exchange, ["half "], "gpt-x");
      exchange.response.write(": flushed\n\n", () => exchange.response.socket?.destroy());
    });
    const stream = await client.chat.completions.create({ ...say("breaks"), stream: true });
    const pieces: string[] = [];
    const read = (async () => {
      for await (const { choices } of stream) pieces.push(choices[0]?.delta.content ?? "");
    })();
    await expect(read).rejects.toThrow(/broke off/);
    expect(pieces.join("")).toBe("half ");
  });
});

test.each(["whole", "streamed"])("a client that leaves ends the call that is %s", async (way) => {
  upstream.script(
    way === "whole" ? held(gate().opened, answer("x")) : (exchange) => streamPieces(exchange, ["a"], "gpt-x"),
  );
  const caller = new AbortController();
  const call = (async () => {
    const options = { signal: caller.signal };
    if (way === "whole") return client.chat.completions.create(say(`leaves ${way}`), options);
    const stream = await client.chat.completions.create({ ...say(`leaves ${way}`), stream: true }, options);
    for await (const _ of stream) caller.abort();
    return undefined;
  })().catch(() => undefined);
  const { gone } = await upstream.arrived(1);
  if (way === "whole") caller.abort();
  await call;
  await gone;
});
