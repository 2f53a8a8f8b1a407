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
  json,
  refuse,
  type ScriptedUpstream,
  scriptedUpstream,
  streamPieces,
} from "./testing/scripted-upstream.ts";

const { Completion_Source: Source, CallState: State } = llm;

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

describe("a request id", () => {
  test("is answered once: seen again it is the stored answer", async () => {
    const requestId = freshId();
    const first = await complete("once", { requestId });
    const again = await complete("once", { requestId, cacheMode: llm.CacheMode.CACHE_MODE_NO_CACHE });
    expect(first).toMatchObject({ text: "answer 0", source: Source.SOURCE_PROVIDER, requestId });
    expect(again).toEqual({ ...first, source: Source.SOURCE_ANSWER_LOG });
    expect(upstream.exchanges).toHaveLength(1);
    expect(await gateway.client.getCompletion({ requestId })).toMatchObject({
      state: State.CALL_STATE_STORED,
      completion: { text: "answer 0", source: Source.SOURCE_ANSWER_LOG },
    });
  });

  test("with another body is refused, also while the first is in flight", async () => {
    const requestId = freshId();
    const { open, opened } = gate();
    upstream.script(held(opened, answer("first")));
    const first = complete("body", { requestId });
    await upstream.arrived(1);
    expect((await failureOf(complete("another body", { requestId }))).reason).toBe("REQUEST_ID_REUSED");
    open();
    await first;
    expect((await failureOf(complete("body", { requestId, model: "other" }))).reason).toBe("REQUEST_ID_REUSED");
    expect(upstream.exchanges).toHaveLength(1);
  });

  test("in flight is joined, and runs to its end whoever has left", async () => {
    const requestId = freshId();
    const { open, opened } = gate();
    upstream.script(held(opened, answer("kept")));
    const caller = new AbortController();
    const leaves = gateway.client.complete(requestFor("kept", { requestId }), { signal: caller.signal });
    await upstream.arrived(1);
    caller.abort();
    expect((await failureOf(leaves)).reason).toBe("CANCELLED");
    expect((await gateway.client.getCompletion({ requestId })).state).toBe(State.CALL_STATE_SENT);
    const joins = complete("kept", { requestId });
    open();
    expect(await joins).toMatchObject({ text: "kept", source: Source.SOURCE_SINGLE_FLIGHT });
    expect(upstream.exchanges).toHaveLength(1);
  });

  test("in flight is followed from its beginning by one who joins a stream", async () => {
    const requestId = freshId();
    const { open, opened } = gate();
    upstream.script(async (exchange) => {
      streamPieces(exchange, ["begin "], "test-model");
      await opened;
      await answer("end")(exchange);
    });
    const first = gateway.client.streamComplete({ request: requestFor("joined stream", { requestId }) });
    const reader = first[Symbol.asyncIterator]();
    expect((await reader.next()).value).toMatchObject({ part: { value: "begin " } });
    const second = collect("joined stream", { requestId });
    open();
    expect((await second).pieces.join("")).toBe("begin end");
    await reader.return?.();
    expect(upstream.exchanges).toHaveLength(1);
  });

  test("is stopped by CancelCompletion, and can be asked again", async () => {
    const requestId = freshId();
    upstream.script(held(gate().opened, answer("never")));
    const call = failureOf(complete("cancelled", { requestId }));
    const { gone } = await upstream.arrived(1);
    expect((await gateway.client.cancelCompletion({ requestId })).state).toBe(State.CALL_STATE_FAILED);
    expect((await call).reason).toBe("CANCELLED");
    await gone;
    expect(await gateway.client.getCompletion({ requestId })).toMatchObject({ errorReason: "CANCELLED" });
    expect((await complete("cancelled", { requestId })).text).toBe("answer 1");
    expect((await gateway.client.cancelCompletion({ requestId })).state).toBe(State.CALL_STATE_STORED);
  });

  test("that nobody used is not found; none at all is an error", async () => {
    expect((await failureOf(gateway.client.getCompletion({ requestId: "nobody" }))).reason).toBe("UNKNOWN_COMPLETION");
    expect((await failureOf(gateway.client.cancelCompletion({ requestId: "nobody" }))).reason).toBe(
      "UNKNOWN_COMPLETION",
    );
    expect((await failureOf(gateway.client.getCompletion({ requestId: "" }))).reason).toBe("INVALID_ARGUMENT");
  });

  test.each([
    ["a failure that may pass", refuse(429, "slow", { "retry-after": "3600" }), State.CALL_STATE_RESERVED],
    ["a refusal", refuse(401, "bad key"), State.CALL_STATE_FAILED],
    ["a bad answer", json(200, {}), State.CALL_STATE_RESERVED],
  ])("is asked again after %s", async (name, act, state) => {
    const requestId = freshId();
    upstream.script(act);
    const error = await failureOf(complete(name, { requestId }));
    expect(await gateway.client.getCompletion({ requestId })).toMatchObject({ state, errorReason: error.reason });
    expect((await complete(name, { requestId })).text).toBe("answer 1");
  });

  test("of a lost connection is of unknown fate: asked again, or held for who does not want to pay twice", async () => {
    const requestId = freshId();
    const hold = { requestId, onUnknown: llm.OnUnknown.ON_UNKNOWN_HOLD };
    upstream.script(cut());
    // Held calls are not sent a second time by themselves.
    expect((await failureOf(complete("lost", hold))).reason).toBe("PROVIDER_UNAVAILABLE");
    expect(upstream.exchanges).toHaveLength(1);
    expect((await gateway.client.getCompletion({ requestId })).state).toBe(State.CALL_STATE_UNKNOWN);
    expect((await failureOf(complete("lost", hold))).reason).toBe("CALL_FATE_UNKNOWN");
    expect((await complete("lost", { requestId })).text).toBe("answer 1");
  });

  test("twice at once on two replicas is one call upstream, and either can stop it", async () => {
    await using other = await startGateway({ DATABASE_URL: db.url, OPENAI_BASE_URL: upstream.url });
    const requestId = freshId();
    const { open, opened } = gate();
    upstream.script(held(opened, answer("shared")));
    const here = complete("replicas", { requestId });
    await upstream.arrived(1);
    const there = complete("replicas", { requestId }, other);
    expect((await other.client.getCompletion({ requestId })).state).toBe(State.CALL_STATE_SENT);
    open();
    expect((await here).text).toBe("shared");
    expect(await there).toMatchObject({ text: "shared", source: Source.SOURCE_ANSWER_LOG });
    expect(upstream.exchanges).toHaveLength(1);

    const second = freshId();
    upstream.script(held(gate().opened, answer("never")));
    const stopped = failureOf(complete("replicas, stopped", { requestId: second }));
    await upstream.arrived(2);
    expect((await other.client.cancelCompletion({ requestId: second })).state).toBe(State.CALL_STATE_FAILED);
    expect((await stopped).reason).toBe("CANCELLED");
  });

  test("of another tenant is another call", async () => {
    const tokens = { alice: "alice-token-0123456789", bob: "bob-token-0123456789" };
    await using shared = await startGateway({
      DATABASE_URL: db.url,
      OPENAI_BASE_URL: upstream.url,
      PROMPTPO_TOKENS: JSON.stringify(tokens),
    });
    const { createClient } = await import("@promptpo/service-kit");
    const as = (token: string) =>
      createClient(llm.LlmGatewayService, { target: shared.address, token, unavailable: "GATEWAY_UNAVAILABLE" });
    const [alice, bob] = [as(tokens.alice), as(tokens.bob)];
    const requestId = freshId();
    const request = requestFor("tenants", { requestId, runId: requestId });
    expect((await alice.complete(request)).completion?.text).toBe("answer 0");
    expect((await failureOf(bob.getCompletion({ requestId }))).reason).toBe("UNKNOWN_COMPLETION");
    expect((await bob.complete(request)).completion?.text).toBe("answer 1");
    expect((await alice.getUsage({ runId: requestId })).rows).toMatchObject([{ providerCallCount: 1n }]);
    alice.close();
    bob.close();
  });
});
