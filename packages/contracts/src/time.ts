// Between protobuf's Duration and Timestamp and JavaScript's milliseconds and Date.
// What is made here is always valid: nanos below a second in size, of the seconds' sign in a Duration, never negative in a
// Timestamp. Refuses NaN and infinities with a RangeError.
import type { Duration } from "./gen/google/protobuf/duration.ts";
import type { Timestamp } from "./gen/google/protobuf/timestamp.ts";

/** Milliseconds, fractions to the nanosecond. */
export function durationFromMs(ms: number): Duration {
  let seconds = Math.trunc(ms / 1000);
  let nanos = Math.round((ms - seconds * 1000) * 1e6);
  // 999.9999999 ms round up to a whole second.
  if (Math.abs(nanos) === 1e9) {
    seconds += Math.sign(nanos);
    nanos = 0;
  }
  // `+ 0` turns a minus zero into zero.
  return { seconds: BigInt(seconds), nanos: nanos + 0 };
}

export function durationToMs(duration: Duration): number {
  return Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

export function timestampFromDate(date: Date): Timestamp {
  const ms = date.getTime();
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1_000_000 };
}

/** A Date has milliseconds only: what is finer is cut off, towards the past. */
export function timestampToDate(timestamp: Timestamp): Date {
  return new Date(Number(timestamp.seconds) * 1000 + Math.floor(timestamp.nanos / 1e6));
}
