// A row of a bench's table: one number, its target, and what it was made of. Pure.
import { type Measurement, rate } from "./measurement.ts";

/** What a row promises. */
export interface Target {
  readonly name: string;
  readonly unit: string;
  readonly target: number;
  /** On which side of the target the value has to be. */
  readonly sense: ">=" | "<=";
}

export interface Row extends Target {
  /** Null where it could not be measured. */
  readonly value: number | null;
  readonly met: boolean;
  /** Least and most of the rounds. */
  readonly range: readonly [number, number] | null;
  /** Medians: steps a second, or the row's unit. */
  readonly ours: number | null;
  readonly peer: number | null;
  /** Whether all returns were equal to the peer's; null where only speed is compared. */
  readonly bitsEqual: boolean | null;
  readonly note: string;
}

/** Ours over the peer's steps a second, round by round. */
export function ratioRow(target: Target, ours: readonly Measurement[], peer: readonly Measurement[]): Row {
  const ratios = ours.map((each, round) => rate(each) / rate(at(peer, round)));
  const bits = compareBits(ours, peer);
  return {
    ...valueRow(target, ratios),
    ours: median(ours.map(rate)),
    peer: median(peer.map(rate)),
    bitsEqual: bits.equal,
    met: isMet(target, median(ratios)) && bits.equal !== false,
    note: [stepsAnEpisode(at(ours, 0)), bits.difference].filter((part) => part !== "").join("; "),
  };
}

/** A row that is its own number: milliseconds, growth. */
export function valueRow(target: Target, values: readonly number[]): Row {
  const value = median(values);
  return {
    ...target,
    value,
    met: isMet(target, value),
    range: values.length > 1 ? [Math.min(...values), Math.max(...values)] : null,
    ours: null,
    peer: null,
    bitsEqual: null,
    note: "",
  };
}

/** A row that could not be measured. */
export function missingRow(target: Target, why: string): Row {
  return { ...target, value: null, met: false, range: null, ours: null, peer: null, bitsEqual: null, note: why };
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error("the median of nothing");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? at(sorted, middle) : (at(sorted, middle - 1) + at(sorted, middle)) / 2;
}

/** Null when one of the two shows no bits; else whether all rounds are equal, and the first difference. */
export function compareBits(
  ours: readonly Measurement[],
  peer: readonly Measurement[],
): { equal: boolean | null; difference: string } {
  let compared = false;
  for (const [round, measured] of ours.entries()) {
    const other = at(peer, round).bits;
    if (measured.bits.length === 0 || other.length === 0) continue;
    compared = true;
    if (measured.bits.length !== other.length)
      return { equal: false, difference: `${measured.bits.length} returns against ${other.length}` };
    // Object.is: 0 and -0 differ in a bit, NaN equals itself.
    const index = measured.bits.findIndex((bits, place) => !Object.is(bits, other[place]));
    if (index >= 0)
      return { equal: false, difference: `return ${index} is ${measured.bits[index]}, the peer's ${other[index]}` };
  }
  return { equal: compared ? true : null, difference: "" };
}

function isMet(target: Target, value: number): boolean {
  return target.sense === ">=" ? value >= target.target : value <= target.target;
}

function stepsAnEpisode({ amount, episodes }: Measurement): string {
  return episodes === 0 ? "" : `${episodes} episodes of ${Math.round(amount / episodes)} steps`;
}

function at<T>(values: readonly T[], index: number): T {
  const found = values[index];
  if (found === undefined) throw new Error(`there is no measurement ${index}`);
  return found;
}
