// The command line of `npm run bench`. Pure.
import { parseArgs } from "node:util";

export interface Options {
  readonly bench: string;
  /** A document on standard output in place of the table. */
  readonly json: boolean;
  /** Interleaved rounds, the warm-up not counted. */
  readonly rounds: number;
  /** Only rows whose name holds this; undefined: all. */
  readonly only: string | undefined;
}

export const USAGE = "usage: npm run bench -- rollout|step [--json] [--rounds N] [--only ROW]";

/** Fewer rounds show no range. */
const ROUNDS = 5;

/** A string: what is wrong with it. */
export function optionsOf(args: readonly string[], benches: readonly string[]): Options | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { json: { type: "boolean" }, rounds: { type: "string" }, only: { type: "string" } },
    });
    const [bench = "", ...rest] = positionals;
    if (rest.length > 0 || !benches.includes(bench))
      return `expected one of ${benches.join(", ")}, got ${positionals.join(" ") || "nothing"}`;
    const rounds = Number(values.rounds ?? ROUNDS);
    if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000) return "--rounds expects a whole number, 1 to 1000";
    return { bench, json: values.json ?? false, rounds, only: values.only };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
