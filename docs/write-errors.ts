// Writes docs/errors.md from the table of reasons (packages/service-kit/reasons.json): `node docs/write-errors.ts`.
// `--check` writes nothing and fails when the page is not in step.
import { readFileSync, writeFileSync } from "node:fs";

interface Row {
  readonly code: string;
  readonly number: number;
  readonly retryable: boolean;
  readonly about: string;
}

const table: { domain: string; reasons: Record<string, Row> } = JSON.parse(
  readFileSync(new URL("../packages/service-kit/reasons.json", import.meta.url), "utf8"),
);
const page = new URL("./errors.md", import.meta.url);

/** A table with columns of even width, as the formatter has it. */
function markdownTable(lines: readonly (readonly string[])[]): string {
  const [head = []] = lines;
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? "").padEnd(width)).join(" | ")} |`;
  const rule = widths.map((width) => "-".repeat(width));
  return [head, rule, ...lines.slice(1)].map(line).join("\n");
}

const rows = Object.entries(table.reasons)
  .sort(([a, left], [b, right]) => left.number - right.number || (a < b ? -1 : 1))
  .map(([name, row]) => [`\`${name}\``, `${row.code} (${row.number})`, row.retryable ? "yes" : "no", row.about]);

const text = `# Errors

Written by \`node docs/write-errors.ts\` from \`packages/service-kit/reasons.json\`; not to be edited by hand.

Every error that leaves a service is a \`google.rpc.Status\`. Its \`ErrorInfo\` has the domain \`${table.domain}\` and one of the
reasons below; its message says what, where, why, and what to do next. \`BadRequest\` names the fields of a refused request,
\`RetryInfo\` says how long to wait, \`PreconditionFailure\` what has to hold first. A **retryable** error may go away by itself:
the same request may be sent again, and with its \`request_id\` it is done once.

A policy that fails is no error: it is a result (\`EpisodeResult.error\`, see [states.md](states.md)).

${markdownTable([["reason", "gRPC code", "retryable", "what happened"], ...rows])}
`;

if (process.argv.includes("--check")) {
  let found = "";
  try {
    found = readFileSync(page, "utf8");
  } catch {
    // A missing page is not in step either.
  }
  if (found !== text) {
    console.error(
      "docs/errors.md is not in step with packages/service-kit/reasons.json\nrun: node docs/write-errors.ts",
    );
    process.exitCode = 1;
  }
} else {
  writeFileSync(page, text);
}
