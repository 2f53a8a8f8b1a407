import { types } from "@promptpo/contracts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { summariseEvaluation } from "./summarise-evaluation.ts";

const fingerprint = types.Fingerprint.fromPartial({ digest: "f" });
const here = { fingerprint, confined: true, cached: false };
const episode = (value: number, more: Parameters<typeof types.EpisodeResult.fromPartial>[0] = {}) =>
  types.EpisodeResult.fromPartial({ returnValue: value, length: 10n, ...more });

test("the mean is the plain sum in seed order over the count, to the last bit", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1, maxLength: 50 }),
      (values) => {
        let sum = 0;
        for (const value of values) sum += value;
        const summary = summariseEvaluation(
          values.map((value) => episode(value)),
          here,
        );
        expect(Object.is(summary.meanReturn, sum / values.length)).toBe(true);
        expect(summary.stepCount).toBe(BigInt(10 * values.length));
      },
    ),
  );
});

test("one failed episode makes the mean NaN, counts as no success, and its steps count", () => {
  const failed = episode(3, { success: true, error: { kind: types.PolicyError_Kind.KIND_EXCEPTION } });
  const summary = summariseEvaluation([episode(1, { success: true }), failed, episode(2), episode(4)], here);
  expect(summary).toMatchObject({ meanReturn: Number.NaN, successRate: 0.25, failedCount: 1n, stepCount: 40n });
  expect(summary.fingerprint).toEqual(fingerprint);
});
