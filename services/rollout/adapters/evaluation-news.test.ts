import { expect, test } from "vitest";
import { EvaluationNews } from "./evaluation-news.ts";

const key = { tenant: "t", requestId: "r" };
const FOR_EVER_MS = 3_600_000;

test("news that came before somebody waits is not lost, and news of others wakes nobody", async () => {
  const news = new EvaluationNews(FOR_EVER_MS);
  const { signal } = new AbortController();
  using watch = news.watch(key);
  news.came(key);
  news.came(key);
  await watch.changed(signal);
  let woken = false;
  const next = watch.changed(signal).then(() => {
    woken = true;
  });
  news.came({ ...key, tenant: "other" });
  await new Promise((resolve) => setImmediate(resolve));
  expect(woken).toBe(false);
  // The connection was renewed: anything may have happened.
  news.came(undefined);
  await next;
});

test("who waits looks again without news, and leaves when told to", async () => {
  const { signal } = new AbortController();
  using soon = new EvaluationNews(1).watch(key);
  await soon.changed(signal);
  using late = new EvaluationNews(FOR_EVER_MS).watch(key);
  const leave = new AbortController();
  const waiting = late.changed(leave.signal);
  leave.abort(new Error("left"));
  await expect(waiting).rejects.toThrow("left");
  await expect(late.changed(leave.signal)).rejects.toThrow("left");
});
