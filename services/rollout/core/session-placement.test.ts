import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { placeLostShards, placeSession, type SessionUsage } from "./session-placement.ts";

const quotas = { tenantEnvironments: 1_000, sidecarEnvironments: 100 };
const names = (count: number) => Array.from({ length: count }, (_, at) => `s${at}`);
const usage = (sidecars: Record<string, number> = {}, tenant = 0): SessionUsage => ({
  tenant,
  sidecars: new Map(Object.entries(sidecars)),
});

describe("a session's environments", () => {
  test("are split evenly, larger shards first", () => {
    expect(placeSession(17, names(2), usage(), quotas)).toEqual([
      { sidecar: "s0", firstIndex: 0, environmentCount: 9 },
      { sidecar: "s1", firstIndex: 9, environmentCount: 8 },
    ]);
  });

  test("go to the least loaded sidecars where there are more sidecars than environments", () => {
    const placed = placeSession(2, names(4), usage({ s0: 3, s1: 1, s2: 2, s3: 5 }), quotas);
    expect(placed.map(({ sidecar }) => sidecar)).toEqual(["s1", "s2"]);
  });

  test("fill a sidecar with little room and share the rest", () => {
    const placed = placeSession(50, names(3), usage({ s0: 95, s1: 100 }), quotas);
    expect(placed.map(({ sidecar, environmentCount }) => [sidecar, environmentCount])).toEqual([
      ["s2", 45],
      ["s0", 5],
    ]);
  });

  test("are refused with what is in use, and with when to come again only where that can help", () => {
    const refusal = (count: number, used: SessionUsage) => {
      try {
        placeSession(count, names(2), used, quotas);
      } catch (error) {
        return error;
      }
      throw new Error("it was placed");
    };
    expect(refusal(2, usage({}, 999))).toMatchObject({
      reason: "QUOTA_EXHAUSTED",
      retryAfterMs: 5_000,
      metadata: { quota: "1000", in_use: "999", asked: "2" },
    });
    expect(refusal(1_001, usage())).toMatchObject({ reason: "QUOTA_EXHAUSTED", retryAfterMs: undefined });
    expect(refusal(11, usage({ s0: 90, s1: 100 }))).toMatchObject({
      retryAfterMs: 5_000,
      metadata: { quota: "200", in_use: "190", asked: "11" },
    });
    expect(refusal(201, usage())).toMatchObject({ reason: "QUOTA_EXHAUSTED", retryAfterMs: undefined });
  });

  test("are all placed, within the room, gapless, as evenly as the room allows, exactly when the room suffices", () => {
    const sidecars = fc.array(fc.integer({ min: 0, max: 130 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 900 }), sidecars, (count, loads) => {
        const used = usage(Object.fromEntries(loads.map((load, at) => [`s${at}`, load])));
        const room = (sidecar: string) => Math.max(0, 100 - (used.sidecars.get(sidecar) ?? 0));
        const free = names(loads.length).reduce((sum, sidecar) => sum + room(sidecar), 0);
        if (free < count) {
          expect(() => placeSession(count, names(loads.length), used, quotas)).toThrow("do not fit");
          return;
        }
        const placed = placeSession(count, names(loads.length), used, quotas);
        let next = 0;
        for (const { firstIndex, environmentCount, sidecar } of placed) {
          expect(firstIndex).toBe(next);
          expect(environmentCount).toBeGreaterThan(0);
          expect(environmentCount).toBeLessThanOrEqual(room(sidecar));
          next += environmentCount;
        }
        expect(next).toBe(count);
        const open = names(loads.length).filter((sidecar) => room(sidecar) > 0);
        expect(new Set(placed.map(({ sidecar }) => sidecar)).size).toBe(Math.min(open.length, count));
        const counts = placed.map(({ environmentCount }) => environmentCount);
        expect(counts).toEqual([...counts].sort((a, b) => b - a));
        const most = counts[0] ?? 0;
        // Who carries less than the most by more than one is full.
        for (const shard of placed) {
          if (shard.environmentCount < most - 1) expect(shard.environmentCount).toBe(room(shard.sidecar));
        }
      }),
    );
  });
});

describe("lost shards", () => {
  test("get a sidecar each, the largest the one with most room", () => {
    expect(placeLostShards([3, 9], names(3), usage({ s0: 50, s1: 10, s2: 20 }), quotas)).toEqual(["s2", "s1"]);
  });

  test("are refused where one does not fit", () => {
    expect(() => placeLostShards([30, 9], names(2), usage({ s0: 75, s1: 80 }), quotas)).toThrow("do not fit");
  });
});
