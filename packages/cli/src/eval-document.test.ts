import { rollout, types } from "@promptpo/contracts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { evalDocument } from "./eval-document.ts";
import { type ExactJson, exactJson } from "./exact-json.ts";

const episode = (part: Partial<types.EpisodeResult>) => types.EpisodeResult.fromPartial(part);
const fingerprint = types.Fingerprint.fromPartial({
  packages: { numpy: "2.4.6", mujoco: "3.3.0" },
  architecture: "x86_64",
});

test("the document has exactly its fields, in their order, and every bit of the numbers", () => {
  const document = evalDocument(
    "HalfCheetah-v5",
    [
      episode({ seed: 0n, returnValue: 0.1 + 0.2, success: false, length: 1000n, truncated: true }),
      episode({ seed: 51n, returnValue: -0, success: true, length: 3n, terminated: true }),
    ],
    rollout.EvaluationSummary.fromPartial({ meanReturn: 0.15000000000000002, successRate: 0.5, fingerprint }),
  );
  expect(document).toBe(
    '{"environment": "HalfCheetah-v5", "episodes": [' +
      '{"seed": 0, "return": 0.30000000000000004, "success": false, "length": 1000, "terminated": false, "truncated": true, "error": null}, ' +
      '{"seed": 51, "return": -0.0, "success": true, "length": 3, "terminated": true, "truncated": false, "error": null}], ' +
      '"mean_return": 0.15000000000000002, "success_rate": 0.5, "versions": {"mujoco": "3.3.0", "numpy": "2.4.6"}}',
  );
});

test("a failed episode has its error, and the mean that it spoils is null", () => {
  const error = types.PolicyError.fromPartial({
    kind: types.PolicyError_Kind.KIND_BAD_ACTION,
    message: "expected shape (6,), received (5,)",
    step: 7n,
    line: 12,
  });
  const document: unknown = JSON.parse(
    evalDocument(
      "HalfCheetah-v5",
      [episode({ seed: 3n, returnValue: 1.5, length: 7n, error }), episode({ seed: 4n, returnValue: 2, length: 9n })],
      rollout.EvaluationSummary.fromPartial({ meanReturn: Number.NaN, failedCount: 1n }),
    ),
  );
  expect(document).toMatchObject({
    mean_return: null,
    success_rate: 0,
    episodes: [
      {
        seed: 3,
        return: 1.5,
        error: { kind: "BAD_ACTION", step: 7, line: 12, message: "expected shape (6,), received (5,)" },
      },
      { seed: 4, return: 2, error: null },
    ],
    versions: {},
  });
});

test("any finite double comes back as it was", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(Object.is(JSON.parse(exactJson(value)), value)).toBe(true);
    }),
  );
});

test("exact JSON is JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const parsed: unknown = JSON.parse(exactJson(value as ExactJson));
      expect(parsed).toEqual(value);
    }),
  );
});
