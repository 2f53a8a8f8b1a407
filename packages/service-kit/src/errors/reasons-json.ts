/**
 * `reasons.json`: the table of reasons for readers that are not TypeScript (the Python side compares its own with it).
 * Run as a program it writes the file; a test holds the file in step.
 */
import { writeFileSync } from "node:fs";
import { status } from "@grpc/grpc-js";
import { ERROR_DOMAIN, REASONS } from "./reasons.ts";

/** Where the file lies. */
export const REASONS_JSON = new URL("../../reasons.json", import.meta.url);

/** The file's text: reasons in the order of their names, codes by gRPC name and number. */
export function reasonsJson(): string {
  const reasons = Object.fromEntries(
    Object.entries(REASONS)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, row]) => [
        name,
        { code: status[row.code], number: row.code, retryable: row.retryable, about: row.about },
      ]),
  );
  return `${JSON.stringify({ domain: ERROR_DOMAIN, reasons }, null, 2)}\n`;
}

if (import.meta.main) writeFileSync(REASONS_JSON, reasonsJson());
