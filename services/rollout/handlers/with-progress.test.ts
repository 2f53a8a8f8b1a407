import { expect, test } from "vitest";
import type { Pace } from "./ports.ts";
import { ReplayLog } from "./replay-log.ts";
import { withProgress } from "./with-progress.ts";

/** A pace whose pauses end when the test says so. */
function handPace() {
  const pauses: { readonly over: () => void; isDisposed: boolean }[] = [];
  const pace: Pace = {
    pause() {
      const { promise, resolve } = Promise.withResolvers<void>();
      const pause = { over: resolve, isDisposed: false };
      pauses.push(pause);
      return {
        over: promise,
        [Symbol.dispose]: () => {
          pause.isDisposed = true;
        },
      };
    },
  };
  return { pace, pauses };
}

test("progress comes between messages, once for each pause, and never instead of one", async () => {
  const { pace, pauses } = handPace();
  const log = new ReplayLog<string>();
  log.append("a", "b");
  let told = 0;
  const { signal } = new AbortController();
  const messages = withProgress(
    (until) => log.read(until),
    () => `progress ${++told}`,
    pace,
    signal,
  );
  const next = async () => (await messages.next()).value;
  expect([await next(), await next()]).toEqual(["a", "b"]);
  expect(pauses).toHaveLength(1);
  const waiting = next();
  pauses[0]?.over();
  expect(await waiting).toBe("progress 1");
  const more = next();
  log.append("c");
  expect(await more).toBe("c");
  log.end();
  expect(await messages.next()).toEqual({ done: true, value: undefined });
  expect(pauses.map(({ isDisposed }) => isDisposed)).toEqual([true, true]);
});

test("a reader that leaves while progress is shown leaves nothing waiting behind", async () => {
  const { pace, pauses } = handPace();
  const log = new ReplayLog<string>();
  let reading: AbortSignal | undefined;
  const { signal } = new AbortController();
  const read = (until: AbortSignal) => {
    reading = until;
    return log.read(until);
  };
  for await (const message of withProgress(read, () => "progress", pausedOnce(pace, pauses), signal)) {
    expect(message).toBe("progress");
    break;
  }
  expect(reading?.aborted).toBe(true);
  expect(pauses.every(({ isDisposed }) => isDisposed)).toBe(true);
});

test("an aborted caller gets the signal's reason", async () => {
  const control = new AbortController();
  const messages = withProgress(
    (until) => new ReplayLog<string>().read(until),
    () => "progress",
    handPace().pace,
    control.signal,
  );
  const waiting = messages.next();
  control.abort(new Error("the caller left"));
  await expect(waiting).rejects.toThrow("the caller left");
});

/** The first pause is over at once. */
function pausedOnce(pace: Pace, pauses: readonly { readonly over: () => void }[]): Pace {
  return {
    pause() {
      const pause = pace.pause();
      if (pauses.length === 1) pauses[0]?.over();
      return pause;
    },
  };
}
