import { registerSecret } from "@promptpo/service-kit";
import { Agent, getGlobalDispatcher, setGlobalDispatcher } from "undici";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ProviderReply, ProviderRequest } from "../core/ports.ts";
import {
  answer,
  cut,
  garbage,
  gate,
  held,
  json,
  refuse,
  type ScriptedUpstream,
  scriptedUpstream,
  sendEvent,
  streamPieces,
} from "../testing/scripted-upstream.ts";
import { type OpenAiProvider, openAiProvider, providerName } from "./openai-provider.ts";
import { systemClock } from "./system-clock.ts";

let upstream: ScriptedUpstream;
let provider: OpenAiProvider;
beforeEach(async () => {
  upstream = await scriptedUpstream();
  provider = openAiProvider({ baseUrl: upstream.url, apiKey: undefined, clock: systemClock });
});
afterEach(async () => {
  await provider[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const request = (fields: Partial<ProviderRequest> = {}): ProviderRequest => ({
  model: "m",
  messages: [{ role: "user", content: "hi" }],
  parameters: {},
  signal: new AbortController().signal,
  ...fields,
});

/** Asks whole, then streamed, with the same script. */
async function askBothWays(script: () => void): Promise<ProviderReply[]> {
  script();
  const whole = await provider.ask(request());
  script();
  return [whole, await provider.ask(request({ onPiece: () => undefined }))];
}

test("parameters are passed on as they are, messages by role, and nothing else", async () => {
  await provider.ask(
    request({
      messages: [
        { role: "system", content: "s" },
        { role: "assistant", content: "a" },
      ],
      parameters: { temperature: 0, max_tokens: 5, reasoning_effort: "low" },
    }),
  );
  expect(upstream.exchanges[0]?.body).toEqual({
    model: "m",
    messages: [
      { role: "system", content: "s" },
      { role: "assistant", content: "a" },
    ],
    temperature: 0,
    max_tokens: 5,
    reasoning_effort: "low",
    stream: false,
  });
});

test("an answer has text, the model's own name, the end's reason and the counted tokens, whole or streamed", async () => {
  for (const reply of await askBothWays(() => upstream.script(answer("ünïcode 🙂 text", { model: "m-2026" })))) {
    expect(reply).toEqual({
      kind: "answer",
      text: "ünïcode 🙂 text",
      model: "m-2026",
      finish: "stop",
      counted: { prompt: 11, completion: 7 },
    });
  }
});

test("missing usage is missing, not zero; a limit's end is told", async () => {
  for (const reply of await askBothWays(() => upstream.script(answer("x", { usage: null, finish: "length" })))) {
    expect(reply).toMatchObject({ finish: "length", counted: {} });
    expect(reply.kind === "answer" && reply.counted.prompt).toBeUndefined();
  }
});

describe("a failure says what is known of it", () => {
  test.each([
    ["429", () => refuse(429, "slow down", { "retry-after": "2" }), "PROVIDER_RATE_LIMITED", "settled", true],
    ["no quota", () => refuse(429, "pay", {}, "insufficient_quota"), "PROVIDER_REFUSED", "settled", false],
    ["500", () => refuse(500, "oops"), "PROVIDER_UNAVAILABLE", "settled", true],
    ["409", () => refuse(409, "busy"), "PROVIDER_UNAVAILABLE", "settled", true],
    ["504", () => refuse(504, "waited"), "PROVIDER_UNAVAILABLE", "unknown", true],
    ["400", () => refuse(400, "bad temperature"), "PROVIDER_REFUSED", "settled", false],
    ["404", () => refuse(404, "no such model"), "PROVIDER_REFUSED", "settled", false],
    ["too long", () => refuse(400, "long", {}, "context_length_exceeded"), "PROMPT_TOO_LARGE", "settled", false],
    ["not JSON", () => garbage("<html>welcome</html>", "text/html"), "PROVIDER_BAD_ANSWER", "settled", false],
    ["broken JSON", () => garbage('{"choices": [', "application/json"), "PROVIDER_BAD_ANSWER", "settled", false],
    ["other JSON", () => json(200, { ok: true }), "PROVIDER_BAD_ANSWER", "settled", false],
    ["no finish_reason", () => answer("text", { finish: null }), "PROVIDER_BAD_ANSWER", "settled", false],
    ["an unknown end", () => answer("text", { finish: "tool_calls" }), "PROVIDER_BAD_ANSWER", "settled", false],
    ["empty text", () => answer(""), "PROVIDER_BAD_ANSWER", "settled", false],
    ["filtered away", () => answer("", { finish: "content_filter" }), "PROVIDER_REFUSED", "settled", false],
    ["connection cut", () => cut(), "PROVIDER_UNAVAILABLE", "unknown", true],
  ] as const)("%s", async (_, act, reason, fate, again) => {
    for (const reply of await askBothWays(() => upstream.script(act()))) {
      expect(reply).toMatchObject({ kind: "failure", error: { reason }, fate, again });
    }
  });

  test("Retry-After goes along", async () => {
    upstream.script(refuse(429, "slow down", { "retry-after-ms": "1234" }));
    expect(await provider.ask(request())).toMatchObject({ retryAfterMs: 1234, error: { retryAfterMs: 1234 } });
  });

  test("nobody listens: nothing was sent", async () => {
    await upstream[Symbol.asyncDispose]();
    expect(await provider.ask(request())).toMatchObject({
      error: { reason: "PROVIDER_UNAVAILABLE", message: expect.stringContaining("ECONNREFUSED") },
      fate: "unsent",
      again: true,
    });
    upstream = await scriptedUpstream();
  });

  test("a refusal in the model's own words", async () => {
    upstream.script(
      json(200, { choices: [{ message: { content: null, refusal: "I will not." }, finish_reason: "stop" }] }),
    );
    expect(await provider.ask(request())).toMatchObject({
      error: { reason: "PROVIDER_REFUSED", message: expect.stringContaining("I will not.") },
    });
  });
});

test("an error's text holds neither keys nor line breaks, and ends somewhere", async () => {
  registerSecret("a-registered-secret");
  upstream.script(refuse(401, `Incorrect API key: sk-abcdefghijk123\nand a-registered-secret ${"x".repeat(2_000)}`));
  const reply = await provider.ask(request());
  const message = reply.kind === "failure" ? reply.error.message : "";
  expect(message).toContain("check OPENAI_API_KEY");
  expect(message).not.toMatch(/sk-abc|a-registered-secret|\n/);
  expect(message.length).toBeLessThan(500);
});

describe("streams", () => {
  test("a stream that breaks off is a failure with what came", async () => {
    upstream.script(cut(["one ", "two"]));
    const pieces: string[] = [];
    const reply = await provider.ask(request({ onPiece: (piece) => pieces.push(piece) }));
    expect(reply).toMatchObject({
      kind: "failure",
      error: { reason: "PROVIDER_UNAVAILABLE" },
      fate: "unknown",
      partial: { text: "one two" },
    });
    expect(pieces.join("")).toBe("one two");
  });

  test("an error within a stream is the provider's word", async () => {
    upstream.script((exchange) => {
      streamPieces(exchange, ["a"], "m");
      sendEvent(exchange, { error: { message: "overloaded", type: "server_error" } });
      exchange.response.end();
    });
    const reply = await provider.ask(request({ onPiece: () => undefined }));
    expect(reply).toMatchObject({ error: { message: expect.stringContaining("overloaded") }, partial: { text: "a" } });
  });

  test("pieces come while the answer is being written", async () => {
    const { open, opened } = gate();
    upstream.script(async (exchange) => {
      streamPieces(exchange, ["first"], "m");
      await opened;
      await answer("second")(exchange);
    });
    const pieces: string[] = [];
    const reply = await provider.ask(
      request({
        onPiece: (piece) => {
          pieces.push(piece);
          open();
        },
      }),
    );
    expect(reply).toMatchObject({ kind: "answer", text: "firstsecond" });
  });
});

test.each(["whole", "streamed"])("aborting a call that is %s ends the connection at once", async (way) => {
  const forever = gate();
  upstream.script(
    way === "whole" ? held(forever.opened, answer("x")) : (exchange) => streamPieces(exchange, ["a"], "m"),
  );
  const caller = new AbortController();
  const reply = provider.ask(
    request({ signal: caller.signal, onPiece: way === "whole" ? undefined : () => caller.abort() }),
  );
  const { gone } = await upstream.arrived(1);
  if (way === "whole") caller.abort();
  expect(await reply).toMatchObject({ kind: "failure", error: { reason: "CANCELLED" }, fate: "unknown", again: false });
  await gone;
});

describe("patience", () => {
  test("is the gateway's own: the limit of Node's fetch does not count", async () => {
    // Stands for the 300 s after which Node gives up on a silent server.
    const before = getGlobalDispatcher();
    const impatient = new Agent({ headersTimeout: 50, bodyTimeout: 50 });
    setGlobalDispatcher(impatient);
    try {
      upstream.usually((exchange) => void setTimeout(() => answer("late")(exchange), 1_500));
      expect(await provider.ask(request())).toMatchObject({ kind: "answer", text: "late" });
    } finally {
      setGlobalDispatcher(before);
      await impatient.destroy();
    }
  });

  test("has the length it was given", async () => {
    await using impatient = openAiProvider({
      baseUrl: upstream.url,
      apiKey: undefined,
      clock: systemClock,
      idleMs: 300,
    });
    upstream.usually(held(gate().opened, answer("never")));
    for (const onPiece of [undefined, () => undefined]) {
      expect(await impatient.ask(request({ onPiece }))).toMatchObject({
        kind: "failure",
        error: { reason: "PROVIDER_UNAVAILABLE" },
        fate: "unknown",
      });
    }
  });
});

test("a provider is named by its host", () => {
  expect(providerName(undefined)).toBe("openai");
  expect(providerName("https://api.openai.com/v1")).toBe("openai");
  expect(providerName("http://127.0.0.1:8099/v1")).toBe("127.0.0.1:8099");
});
