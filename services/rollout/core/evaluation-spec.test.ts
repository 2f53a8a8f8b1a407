import { durationFromMs, rollout, types } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseEvaluation } from "./evaluation-spec.ts";
import { DEFAULT_LIMITS, limitsMessage } from "./limits.ts";

const plain = { environment: "NoiseWorld-0", policySource: "class P: ...", seeds: [0n, 1n] };
const parse = (more: Parameters<typeof rollout.EvaluatePolicyRequest.fromPartial>[0]) =>
  parseEvaluation(rollout.EvaluatePolicyRequest.fromPartial({ ...plain, ...more }));

function refusal(more: Parameters<typeof rollout.EvaluatePolicyRequest.fromPartial>[0]): FleetError {
  try {
    parse(more);
  } catch (error) {
    if (error instanceof FleetError) return error;
  }
  throw new Error("it was taken");
}

test("a plain request gets the defaults, all of them set", () => {
  const spec = parse({});
  expect(spec).toMatchObject({ sharedPolicy: false, limits: DEFAULT_LIMITS, captureStride: 1 });
  expect(spec.captured.size).toBe(0);
  expect(spec.captureFormat).toBe("NPZ");
  const format = rollout.TrajectoryFormat.TRAJECTORY_FORMAT_PARQUET;
  expect(parse({ capture: { all: true, format } })).toMatchObject({ captureFormat: "PARQUET" });
  expect(limitsMessage(spec.limits)).toEqual({
    actionCpu: durationFromMs(2_000),
    episodeCpu: durationFromMs(120_000),
    episodeWall: durationFromMs(900_000),
    memoryBytes: 2n ** 30n,
  });
});

test("seeds that are missing, repeated, outside 32 bits or too many are named with their place", () => {
  expect(refusal({ seeds: [] })).toMatchObject({ reason: "INVALID_SEEDS", violations: [{ field: "seeds" }] });
  expect(refusal({ seeds: [3n, 1n, 3n] }).violations).toEqual([
    { field: "seeds[2]", description: "3 stands at seeds[0] already" },
  ]);
  expect(refusal({ seeds: [-1n] }).violations?.[0]?.field).toBe("seeds[0]");
  expect(refusal({ seeds: [0n, 2n ** 32n] }).message).toBe("seeds[1] 4294967296 is outside 0..4294967295");
  expect(refusal({ seeds: Array.from({ length: 10_001 }, (_, seed) => BigInt(seed)) }).reason).toBe("INVALID_SEEDS");
  expect(parse({ seeds: [2n ** 32n - 1n] }).seeds).toEqual([4_294_967_295n]);
});

test("a source beyond the limit is refused by its bytes, not its characters", () => {
  const euro = "€".repeat(350_000);
  expect(refusal({ policySource: euro })).toMatchObject({
    reason: "POLICY_TOO_LARGE",
    metadata: { size_bytes: "1050000", limit_bytes: "1048576" },
  });
});

test("limits, capture, lifetime and request_id outside their range are named together", () => {
  const error = refusal({
    limits: { actionCpu: durationFromMs(0), memoryBytes: 5n },
    capture: { seeds: [9n], stride: -1, format: 7 as rollout.TrajectoryFormat },
    policyLifetime: 17 as types.PolicyLifetime,
    requestId: "a b",
  });
  expect(error.reason).toBe("INVALID_ARGUMENT");
  expect(error.violations?.map(({ field }) => field)).toEqual([
    "limits.action_cpu",
    "limits.memory_bytes",
    "request_id",
    "policy_lifetime",
    "capture.stride",
    "capture.format",
    "capture.seeds",
  ]);
});

test("bad seeds are told as bad seeds even beside other faults", () => {
  expect(refusal({ seeds: [], environment: "" })).toMatchObject({ reason: "INVALID_SEEDS" });
});

test("the body's hash changes with everything that was asked except the request_id", () => {
  const base = parse({}).bodySha256;
  expect(parse({ requestId: "x" }).bodySha256).toBe(base);
  const others = [
    { environment: "NoiseWorld-1" },
    { variant: "key_info" },
    { policySource: "class Q: ..." },
    { seeds: [1n, 0n] },
    { policyLifetime: types.PolicyLifetime.POLICY_LIFETIME_EVALUATION },
    { limits: { memoryBytes: 2n ** 29n } },
    { capture: { all: true } },
    { runId: "r" },
  ].map((more) => parse(more).bodySha256);
  expect(new Set([base, ...others]).size).toBe(others.length + 1);
});

test("no list of 32-bit seeds without repetition is refused", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 200 }), (seeds) => {
      expect(parse({ seeds: seeds.map(BigInt) }).seeds.map(Number)).toEqual(seeds);
    }),
  );
});
