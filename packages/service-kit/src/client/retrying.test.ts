import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FleetError } from "../errors/fleet-error.ts";
import { retrying } from "./retrying.ts";

// Pauses are long; the test's clock passes them at once.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const away = new FleetError("GATEWAY_UNAVAILABLE", "the gateway does not answer");

async function outcome<T>(promise: Promise<T>): Promise<T | unknown> {
  const settled = promise.catch((error: unknown) => error);
  await vi.runAllTimersAsync();
  return settled;
}

test("what can succeed later is tried again, with pauses that grow and stop growing", async () => {
  const pauses: number[] = [];
  const result = retrying(
    async (attempt) => {
      if (attempt < 6) throw away;
      return attempt;
    },
    { firstPauseMs: 100, longestPauseMs: 1_000, random: () => 1, onRetry: (_, pauseMs) => pauses.push(pauseMs) },
  );
  expect(await outcome(result)).toBe(6);
  expect(pauses).toEqual([100, 200, 400, 800, 1_000]);
});

test("the server's own wish is honoured when it is longer", async () => {
  const pauses: number[] = [];
  const slow = new FleetError("PROVIDER_RATE_LIMITED", "slow down", { retryAfterMs: 30_000 });
  const result = retrying(
    async (attempt) => {
      if (attempt === 1) throw slow;
      return "done";
    },
    { onRetry: (_, pauseMs) => pauses.push(pauseMs) },
  );
  expect(await outcome(result)).toBe("done");
  expect(pauses).toEqual([30_000]);
});

test.each([new FleetError("INVALID_ARGUMENT", "no"), new Error("bug"), new FleetError("BUDGET_EXHAUSTED", "spent")])(
  "what will never succeed is not tried again: %s",
  async (thrown) => {
    let calls = 0;
    const result = retrying(async () => {
      calls++;
      throw thrown;
    });
    expect(await outcome(result)).toBeInstanceOf(FleetError);
    expect(calls).toBe(1);
  },
);

test("attempts have an end", async () => {
  let calls = 0;
  const result = retrying(
    async () => {
      calls++;
      throw away;
    },
    { attempts: 3 },
  );
  expect(await outcome(result)).toBe(away);
  expect(calls).toBe(3);
});

test("a pause that does not fit into the time left is not begun", async () => {
  let calls = 0;
  const result = retrying(
    async () => {
      calls++;
      throw away;
    },
    { timeoutMs: 1_000, firstPauseMs: 400, random: () => 1 },
  );
  expect(await outcome(result)).toBe(away);
  expect(calls).toBe(2);
});

test("patience counts pauses, not work", async () => {
  const lasting = (ms: number) => {
    let calls = 0;
    const call = async (): Promise<never> => {
      calls++;
      await new Promise((resolve) => setTimeout(resolve, ms));
      throw away;
    };
    return { call, calls: () => calls };
  };
  for (const work of [lasting(0), lasting(3_600_000)]) {
    const result = retrying(work.call, { patienceMs: 1_000, firstPauseMs: 400, random: () => 1 });
    expect(await outcome(result)).toBe(away);
    expect(work.calls()).toBe(2);
  }
});

test("a signal ends the waiting with its reason", async () => {
  const stop = new AbortController();
  const why = new FleetError("SHUTTING_DOWN", "stopping");
  const result = retrying(
    async () => {
      throw away;
    },
    { signal: stop.signal, onRetry: (_, __, attempt) => attempt === 3 && stop.abort(why) },
  );
  expect(await outcome(result)).toBe(why);
  expect(await outcome(retrying(async () => 1, { signal: stop.signal }))).toBe(why);
});
