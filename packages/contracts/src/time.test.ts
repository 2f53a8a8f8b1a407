import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { durationFromMs, durationToMs, timestampFromDate, timestampToDate } from "./time.ts";

describe("a duration of milliseconds", () => {
  it.each([
    [0, 0n, 0],
    [1500, 1n, 500_000_000],
    [-1500, -1n, -500_000_000],
    [0.000001, 0n, 1],
    [999.9999999, 1n, 0],
    [-999.9999999, -1n, 0],
    [3_600_000, 3600n, 0],
  ])("%d ms", (ms, seconds, nanos) => {
    expect(durationFromMs(ms)).toEqual({ seconds, nanos });
  });

  it("is always a valid Duration", () => {
    fc.assert(
      fc.property(fc.double({ min: -1e15, max: 1e15, noNaN: true }), (ms) => {
        const { seconds, nanos } = durationFromMs(ms);
        expect(Number.isInteger(nanos) && Math.abs(nanos) < 1e9).toBe(true);
        expect(seconds === 0n || nanos === 0 || seconds > 0n === nanos > 0).toBe(true);
      }),
    );
  });

  it("comes back as the same whole milliseconds", () => {
    fc.assert(
      fc.property(fc.integer({ min: -2_000_000_000, max: 2_000_000_000 }), (ms) => {
        expect(durationToMs(durationFromMs(ms))).toBe(ms + 0);
      }),
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("%d is refused", (ms) => {
    expect(() => durationFromMs(ms)).toThrow(RangeError);
  });
});

describe("a timestamp of a date", () => {
  it("comes back as the same date, with nanos that count forward, before 1970 as well", () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), (date) => {
        const timestamp = timestampFromDate(date);
        expect(timestamp.nanos).toBeGreaterThanOrEqual(0);
        expect(timestamp.nanos).toBeLessThan(1e9);
        expect(timestampToDate(timestamp)).toEqual(date);
      }),
    );
  });

  it("cuts off what is finer than a millisecond, towards the past", () => {
    expect(timestampToDate({ seconds: -1n, nanos: 999_999_999 })).toEqual(new Date(-1));
    expect(timestampToDate({ seconds: 0n, nanos: 1_999_999 })).toEqual(new Date(1));
  });

  it("refuses an invalid date", () => {
    expect(() => timestampFromDate(new Date(Number.NaN))).toThrow(RangeError);
  });
});
