import { readFileSync } from "node:fs";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { isReason, REASONS, type Reason, reasonOfCode } from "./reasons.ts";
import { REASONS_JSON, reasonsJson } from "./reasons-json.ts";

test("reasons.json is in step with the table (node packages/service-kit/src/errors/reasons-json.ts writes it)", () => {
  expect(readFileSync(REASONS_JSON, "utf8")).toBe(reasonsJson());
});

test("every reason is a word that ErrorInfo allows, and says what happened in a sentence", () => {
  for (const [name, row] of Object.entries(REASONS)) {
    expect(name).toMatch(/^[A-Z][A-Z0-9_]{1,60}[A-Z0-9]$/);
    expect(row.about).toMatch(/^[A-Z].*\.$/);
    expect(row.code).not.toBe(status.OK);
  }
});

test("an unavailable part may be asked again; a wrong request, a deadline and a fault of ours may not", () => {
  for (const row of Object.values(REASONS)) {
    if (row.code === status.UNAVAILABLE) expect(row.retryable).toBe(true);
  }
  const final: Reason[] = ["INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL", "BUDGET_EXHAUSTED"];
  for (const reason of final) expect(REASONS[reason].retryable).toBe(false);
});

test("every code without details has a reason of that code, or INTERNAL", () => {
  for (const code of Object.values(status)) {
    if (typeof code !== "number" || code === status.OK) continue;
    const reason = reasonOfCode(code, "GATEWAY_UNAVAILABLE");
    if (code === status.UNAVAILABLE) expect(reason).toBe("GATEWAY_UNAVAILABLE");
    expect([code, status.INTERNAL, status.INVALID_ARGUMENT]).toContain(REASONS[reason].code);
  }
});

test("names of Object's prototype are no reasons", () => {
  expect(isReason("toString")).toBe(false);
  expect(isReason("UNKNOWN_RUN")).toBe(true);
});
