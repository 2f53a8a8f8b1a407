import { llm } from "@promptpo/contracts";
import { expect, test } from "vitest";
import { memoryCache } from "./memory-cache.ts";

const completion = (text: string) => llm.Completion.fromPartial({ text });

test("the least recently used goes when the bytes are used up", async () => {
  const cache = memoryCache({ bytes: 10_000, ttlMs: 60_000 });
  for (const key of ["a", "b", "c"]) await cache.set(key, completion("x".repeat(1_000)));
  expect(cache.entries()).toBe(3);
  await cache.get("a");
  await cache.set("d", completion("y".repeat(1_000)));
  expect(await cache.get("b")).toBeUndefined();
  expect((await cache.get("a"))?.text).toHaveLength(1_000);
  expect(cache.bytes()).toBeLessThanOrEqual(10_000);
});

test("an answer larger than the cache is not kept, and pushes nothing out", async () => {
  const cache = memoryCache({ bytes: 10_000, ttlMs: 60_000 });
  await cache.set("small", completion("x"));
  await cache.set("huge", completion("x".repeat(100_000)));
  expect(await cache.get("huge")).toBeUndefined();
  expect(await cache.get("small")).toBeDefined();
});

test("switched off it keeps nothing", async () => {
  const cache = memoryCache({ bytes: 0, ttlMs: 60_000 });
  await cache.set("a", completion("x"));
  expect(await cache.get("a")).toBeUndefined();
  expect([cache.entries(), cache.bytes()]).toEqual([0, 0]);
});
