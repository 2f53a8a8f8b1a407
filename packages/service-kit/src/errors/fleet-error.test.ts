import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { FleetError } from "./fleet-error.ts";

test("code and retryability follow from the reason", () => {
  expect(new FleetError("QUEUE_FULL", "full")).toMatchObject({ code: status.RESOURCE_EXHAUSTED, retryable: true });
  expect(new FleetError("BUDGET_EXHAUSTED", "spent")).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    retryable: false,
  });
});

test("a FleetError stays itself", () => {
  const error = new FleetError("CONFLICT", "again");
  expect(FleetError.from(error)).toBe(error);
});

test("the text of a strange error stays in the cause", () => {
  for (const strange of [new Error("password=hunter2"), "password=hunter2", undefined, { code: 5 }]) {
    const error = FleetError.from(strange);
    expect(error).toMatchObject({ reason: "INTERNAL", message: "internal error" });
    expect(error.cause).toBe(strange);
  }
});

test("an errno is no status code", () => {
  const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED", details: "", metadata: {} });
  expect(FleetError.from(refused).reason).toBe("INTERNAL");
});

test("aborts are told by their reason", () => {
  expect(FleetError.from(AbortSignal.abort().reason).reason).toBe("CANCELLED");
  expect(FleetError.from(new DOMException("late", "TimeoutError")).reason).toBe("DEADLINE_EXCEEDED");
  const why = new FleetError("SHUTTING_DOWN", "stopping");
  expect(FleetError.from(Object.assign(new Error("aborted", { cause: why }), { name: "AbortError" }))).toBe(why);
});
