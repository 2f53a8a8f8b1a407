import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pauseMs, retryAfterMs } from "./retry.ts";

const now = Date.parse("2026-11-01T12:00:00Z");
const from = (headers: Record<string, string>) => retryAfterMs((name) => headers[name], now);

describe("Retry-After", () => {
  test.each([
    [{ "retry-after": "2" }, 2_000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after-ms": "1500", "retry-after": "9" }, 1_500],
    [{ "retry-after": "Sun, 01 Nov 2026 12:00:30 GMT" }, 30_000],
    [{ "retry-after": "Sun, 01 Nov 2026 11:00:00 GMT" }, 0],
    [{ "retry-after": "soon" }, undefined],
    [{ "retry-after": "-1" }, undefined],
    [{}, undefined],
  ])("%j", (headers, ms) => {
    expect(from(headers)).toBe(ms);
  });
});

test("pauses double up to a limit, keep a lower half, and never come before the provider allows", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(10_000),
      (attempt, random, asked) => {
        const own = pauseMs({ attempt, baseMs: 500, askedMs: undefined, random });
        const longest = Math.min(30_000, 500 * 2 ** (attempt - 1));
        expect(own).toBeGreaterThanOrEqual(longest / 2);
        expect(own).toBeLessThanOrEqual(longest);
        const told = pauseMs({ attempt, baseMs: 500, askedMs: asked, random });
        expect(told).toBeGreaterThanOrEqual(asked);
        expect(told).toBeLessThanOrEqual(asked + 200);
      },
    ),
  );
});
