// Rows that are measured together, because they share peers or a fleet.
import type { Row, Target } from "./row.ts";

export interface Section {
  readonly targets: readonly Target[];
  /**
   * A row for each of `wanted`, which are some of `targets`, as it is measured. What cannot be installed is a row that
   * says so. Adds the versions of what it installed to `versions`.
   */
  measure(wanted: readonly Target[], rounds: number, versions: Record<string, string>): AsyncIterable<Row>;
}

/** One line on standard error: benches take minutes. */
export function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}
