// How numbers look in prompts: the shortest text of the value rounded to six significant digits, so that prompts are
// mostly the same on machines whose last bits differ. The exact values stay in the log.

export function shown(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return String(Number(value.toPrecision(6)));
}

/** `1 episode`, `5 episodes`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
