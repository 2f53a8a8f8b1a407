import { Metadata, status } from "@grpc/grpc-js";
import { Status } from "@promptpo/contracts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FleetError } from "./fleet-error.ts";
import { isReason, REASONS, type Reason } from "./reasons.ts";
import { readStatusDetails, toWire } from "./status-details.ts";

const reasons = Object.keys(REASONS).filter(isReason);
const anyReason: fc.Arbitrary<Reason> = fc.constantFrom(...reasons);

/** The error as a grpc-js client sees it. */
function received(error: FleetError, requestId?: string): Error {
  const { code, details, metadata } = toWire(error, requestId);
  return Object.assign(new Error(`${code} ${details}`), { code, details, metadata });
}

test("an error arrives as it was sent", () => {
  fc.assert(
    fc.property(
      fc.record({
        reason: anyReason,
        message: fc.string({ minLength: 1, maxLength: 200, unit: "grapheme" }),
        metadata: fc.dictionary(fc.stringMatching(/^[a-z]{1,20}$/), fc.string({ maxLength: 50 }), { maxKeys: 5 }),
        retryAfterMs: fc.option(fc.integer({ min: 0, max: 10_000_000 }), { nil: undefined }),
        violations: fc.array(
          fc.record({ field: fc.string({ maxLength: 50 }), description: fc.string({ maxLength: 50 }) }),
          {
            minLength: 1,
            maxLength: 5,
          },
        ),
      }),
      ({ reason, message, ...options }) => {
        const back = FleetError.from(received(new FleetError(reason, message, options), "r-1"));
        expect(back).toMatchObject({ reason, message, code: REASONS[reason].code, requestId: "r-1" });
        expect(back.metadata).toEqual(options.metadata);
        expect(back.retryAfterMs).toBe(options.retryAfterMs);
        expect(back.violations).toEqual(options.violations);
      },
    ),
  );
});

test("no error is too large for HTTP/2 trailers, whatever it holds, and its reason arrives", () => {
  const long = fc.string({ minLength: 1_000, maxLength: 20_000, unit: "binary" });
  fc.assert(
    fc.property(
      anyReason,
      long,
      fc.dictionary(fc.string({ minLength: 1, maxLength: 10 }), long, { maxKeys: 30 }),
      fc.array(fc.record({ field: long, description: long }), { maxLength: 40 }),
      (reason, message, metadata, violations) => {
        const error = new FleetError(reason, message, { metadata, violations });
        const wire = toWire(error, "r-1");
        const [bytes] = wire.metadata.get("grpc-status-details-bin");
        if (!Buffer.isBuffer(bytes)) throw new Error("no details");
        const trailers = encodeURI(wire.details).length + bytes.toString("base64").length;
        expect(trailers).toBeLessThan(7_800);
        expect(FleetError.from(received(error))).toMatchObject({ reason, code: REASONS[reason].code });
      },
    ),
    { numRuns: 40 },
  );
});

test("metadata goes last: a long message and many violations leave it in place while there is room", () => {
  const error = new FleetError("INVALID_ARGUMENT", "m".repeat(5_000), {
    metadata: { nearest: "HalfCheetah-v5" },
    violations: Array.from({ length: 50 }, (_, i) => ({ field: `settings.field${i}`, description: "d".repeat(1_000) })),
  });
  const details = readStatusDetails(toWire(error).metadata);
  expect(details?.metadata).toEqual({ nearest: "HalfCheetah-v5" });
  expect(details?.violations?.length).toBeGreaterThan(3);
  expect(details?.message).toMatch(/…$/);
});

describe("an error that is not ours", () => {
  const foreign = (code: number, details: string, metadata = new Metadata()) =>
    Object.assign(new Error(details), { code, details, metadata });

  test("gets the reason of its code", () => {
    expect(FleetError.from(foreign(status.UNAVAILABLE, "no route"), "ROLLOUT_UNAVAILABLE")).toMatchObject({
      reason: "ROLLOUT_UNAVAILABLE",
      message: "no route",
      retryable: true,
    });
    expect(
      FleetError.from(foreign(status.RESOURCE_EXHAUSTED, "Received message larger than max (9 vs. 4)")),
    ).toMatchObject({
      reason: "MESSAGE_TOO_LARGE",
    });
    expect(FleetError.from(foreign(status.UNKNOWN, ""))).toMatchObject({ reason: "INTERNAL" });
  });

  test("with details that can not be read, or of another domain, counts by its code", () => {
    const damaged = new Metadata();
    damaged.set("grpc-status-details-bin", Buffer.from([0xff, 0xff, 0xff, 0xff]));
    expect(FleetError.from(foreign(status.NOT_FOUND, "gone", damaged))).toMatchObject({ reason: "NOT_FOUND" });
    const other = new Metadata();
    other.set("grpc-status-details-bin", Buffer.from(Status.encode({ code: 5, message: "x", details: [] }).finish()));
    expect(FleetError.from(foreign(status.NOT_FOUND, "gone", other))).toMatchObject({
      reason: "NOT_FOUND",
      message: "gone",
    });
  });

  test("with a reason of a newer version keeps the name and counts by its code", () => {
    const wire = toWire(new FleetError("UNKNOWN_RUN", "no such thing", { metadata: { kind: "sonnet" } }));
    const [bytes] = wire.metadata.get("grpc-status-details-bin");
    if (!Buffer.isBuffer(bytes)) throw new Error("no details");
    // The same length, so that the surrounding message stays whole.
    const newer = Buffer.from(bytes.toString("latin1").replace("UNKNOWN_RUN", "UNKNOWN_ODE"), "latin1");
    const trailers = new Metadata();
    trailers.set("grpc-status-details-bin", newer);
    expect(FleetError.from(foreign(status.NOT_FOUND, "no such thing", trailers))).toMatchObject({
      reason: "NOT_FOUND",
      metadata: { kind: "sonnet", reason: "UNKNOWN_ODE" },
    });
  });
});
