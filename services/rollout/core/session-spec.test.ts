import { durationFromMs, rollout } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expandSeeds } from "./session-seeds.ts";
import { parseSession } from "./session-spec.ts";

const bounds = { leaseMs: 60_000, leaseMostMs: 86_400_000 };
const asked = (more: Parameters<typeof rollout.CreateEnvSessionRequest.fromPartial>[0] = {}) =>
  rollout.CreateEnvSessionRequest.fromPartial({ environment: "E", environmentCount: 3, ...more });
const refusal = (more: Parameters<typeof asked>[0]): FleetError => {
  try {
    parseSession(asked(more), bounds);
  } catch (error) {
    if (error instanceof FleetError) return error;
  }
  throw new Error("it was not refused");
};

describe("a session's request", () => {
  test("gets its defaults", () => {
    expect(parseSession(asked(), bounds)).toMatchObject({
      environmentCount: 3,
      seeds: [],
      autoresetMode: rollout.AutoresetMode.AUTORESET_MODE_NEXT_STEP,
      leaseMs: 60_000,
      requestId: "",
    });
  });

  test("has one body whatever its request_id, and another for anything else", () => {
    const body = (more: Parameters<typeof asked>[0]) => parseSession(asked(more), bounds).bodySha256;
    const first = body({ requestId: "a", options: { depth: 1 } });
    expect(body({ requestId: "b", options: { depth: 1 } })).toBe(first);
    const others = [{}, { options: { depth: 2 } }, { options: { depth: 1 }, seeds: [1n] }].map(body);
    expect(new Set([first, ...others]).size).toBe(4);
  });

  test("is held to the bounds of leases, counts, modes and options", () => {
    const fieldOf = (more: Parameters<typeof asked>[0]) => refusal(more).violations?.map(({ field }) => field);
    expect(fieldOf({ lease: durationFromMs(999) })).toEqual(["lease"]);
    expect(fieldOf({ lease: durationFromMs(86_400_001) })).toEqual(["lease"]);
    expect(fieldOf({ lease: durationFromMs(-5) })).toEqual(["lease"]);
    expect(parseSession(asked({ lease: durationFromMs(86_400_000) }), bounds).leaseMs).toBe(86_400_000);
    expect(fieldOf({ environmentCount: -1 })).toEqual(["environment_count"]);
    expect(fieldOf({ environmentCount: 65_537 })).toEqual(["environment_count"]);
    // A mode of a later version of the contract.
    expect(fieldOf({ autoresetMode: 9 as rollout.AutoresetMode })).toEqual(["autoreset_mode"]);
    expect(fieldOf({ options: { text: "x".repeat(70_000) } })).toEqual(["options"]);
  });

  test("with bad seeds says INVALID_SEEDS first", () => {
    expect(refusal({ seeds: [1n, 2n], environment: "" })).toMatchObject({
      reason: "INVALID_SEEDS",
      violations: [{ field: "seeds" }, { field: "environment" }],
    });
    expect(refusal({ seeds: [0n, -1n, 2n] }).violations).toMatchObject([{ field: "seeds[1]" }]);
    expect(refusal({ seeds: [2n ** 32n - 2n] }).message).toContain("counts up to");
  });
});

test("seeds are one an environment, or count up from one, or none; none is ever outside the range", () => {
  fc.assert(
    fc.property(
      fc.array(fc.bigInt({ min: -2n, max: 2n ** 32n + 1n }), { maxLength: 4 }),
      fc.integer({ min: 1, max: 4 }),
      (given, count) => {
        const { seeds, violations } = expandSeeds(given, count, "seeds");
        if (violations.length > 0) {
          expect(seeds).toEqual([]);
          return;
        }
        expect([0, count]).toContain(seeds.length);
        expect(seeds.length === 0).toBe(given.length === 0);
        for (const [at, seed] of seeds.entries()) {
          expect(seed).toBe(given.length === count ? given[at] : (given[0] ?? 0n) + BigInt(at));
          expect(seed >= 0n && seed < 2n ** 32n).toBe(true);
        }
      },
    ),
  );
});
