import { expect, test } from "vitest";
import { Joined } from "./joined.ts";

function pending() {
  const begun: AbortSignal[] = [];
  const answer = Promise.withResolvers<string>();
  const work = (signal: AbortSignal) => {
    begun.push(signal);
    return answer.promise;
  };
  return { begun, answer, work };
}

test("callers of one key share the work, those of another do not, and a later one begins anew", async () => {
  const joined = new Joined<string>();
  const { signal } = new AbortController();
  const { begun, answer, work } = pending();
  const calls = [joined.run("a", work, signal), joined.run("a", work, signal), joined.run("b", work, signal)];
  expect(begun).toHaveLength(2);
  answer.resolve("done");
  expect(await Promise.all(calls)).toEqual(["done", "done", "done"]);
  await joined.run("a", work, signal);
  expect(begun).toHaveLength(3);
});

test("one who leaves fails alone, and the work ends with the last", async () => {
  const joined = new Joined<string>();
  const [first, second] = [new AbortController(), new AbortController()];
  const { begun, work } = pending();
  const calls = [joined.run("a", work, first.signal), joined.run("a", work, second.signal)];
  first.abort(new Error("first left"));
  await expect(calls[0]).rejects.toThrow("first left");
  expect(begun[0]?.aborted).toBe(false);
  second.abort(new Error("second left"));
  await expect(calls[1]).rejects.toThrow("second left");
  expect(begun[0]?.reason).toEqual(new Error("second left"));
  await expect(joined.run("a", work, first.signal)).rejects.toThrow("first left");
  expect(begun).toHaveLength(1);
});

test("a failure is every caller's", async () => {
  const joined = new Joined<string>();
  const { signal } = new AbortController();
  const { answer, work } = pending();
  const calls = [joined.run("a", work, signal), joined.run("a", work, signal)];
  answer.reject(new Error("no"));
  for (const call of calls) await expect(call).rejects.toThrow("no");
});
