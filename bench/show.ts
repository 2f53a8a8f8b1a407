// A bench's rows as a table for people and as JSON for programs. Pure.
import type { Machine } from "./machine.ts";
import type { Row } from "./row.ts";

export interface Report {
  readonly bench: string;
  readonly machine: Machine;
  readonly rows: readonly Row[];
}

/** One document. `value` is null where a row could not be measured; its note says why. */
export function asJson({ bench, machine, rows }: Report): string {
  const shown = rows.map(({ name, value, unit, target, met, sense, range, ours, peer, bitsEqual, note }) => ({
    ...{ name, value, unit, target, met },
    ...{ sense, range, ours, peer, bits_equal: bitsEqual, note },
  }));
  return JSON.stringify({ bench, machine, rows: shown }, null, 2);
}

export function asTable({ bench, machine, rows }: Report): string {
  const title = ["row", "value", "unit", "target", "met", "range", "ours", "peer", "bits", "note"];
  const lines = rows.map((row) => [
    row.name,
    number(row.value),
    row.unit,
    `${row.sense} ${number(row.target)}`,
    row.value === null ? "?" : row.met ? "yes" : "NO",
    row.range === null ? "" : `${number(row.range[0])}..${number(row.range[1])}`,
    number(row.ours),
    number(row.peer),
    row.bitsEqual === null ? "" : row.bitsEqual ? "equal" : "DIFFER",
    row.note,
  ]);
  const { cpu, cores, load, versions } = machine;
  const about = [
    `${bench}: ${cores} cores, ${cpu}, load ${load.toFixed(1)} at the start`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
  ];
  return [...about, "", ...columns([title, ...lines])].join("\n");
}

/** Three digits that matter; whole from a hundred on. */
function number(value: number | null): string {
  if (value === null) return "";
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

function columns(lines: readonly (readonly string[])[]): string[] {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  return lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
