// A row of bars for a terminal, from lowest to highest of the values. Pure.
const BARS = "▁▂▃▄▅▆▇█";

/** One bar a value; gaps (NaN) are spaces; equal values are all the middle bar. */
export function sparkline(values: readonly number[]): string {
  const finite = values.filter(Number.isFinite);
  const low = Math.min(...finite);
  const high = Math.max(...finite);
  return values
    .map((value) => {
      if (!Number.isFinite(value)) return " ";
      const share = high === low ? 0.5 : (value - low) / (high - low);
      return BARS[Math.min(BARS.length - 1, Math.floor(share * BARS.length))] ?? " ";
    })
    .join("");
}
