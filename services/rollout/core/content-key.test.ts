import { rollout, types } from "@promptpo/contracts";
import { expect, test } from "vitest";
import { contentKeys } from "./content-key.ts";
import { parseEvaluation } from "./evaluation-spec.ts";

const here = { variant: "default", revision: "", fingerprintDigest: "f", confined: true };
const keys = (
  more: Parameters<typeof rollout.EvaluatePolicyRequest.fromPartial>[0] = {},
  circumstances: Partial<typeof here> = {},
) =>
  contentKeys(
    parseEvaluation(
      rollout.EvaluatePolicyRequest.fromPartial({
        environment: "NoiseWorld-0",
        policySource: "class P: ...",
        seeds: [0n, 1n, 2n],
        ...more,
      }),
    ),
    { ...here, ...circumstances },
  );

test("an episode's key does not depend on who else is evaluated, nor on who asks", () => {
  const [first, second, third] = keys();
  expect(keys({ seeds: [2n, 0n] })).toEqual([third, first]);
  expect(keys({ requestId: "r", runId: "run", seeds: [1n] })).toEqual([second]);
  expect(keys({ policyLifetime: types.PolicyLifetime.POLICY_LIFETIME_EPISODE })).toEqual([first, second, third]);
});

test("with a policy that lives on, an episode's key depends on the seeds before it and on none after", () => {
  const shared = { policyLifetime: types.PolicyLifetime.POLICY_LIFETIME_EVALUATION };
  const [first, second, third] = keys(shared);
  expect(keys({ ...shared, seeds: [0n, 1n] })).toEqual([first, second]);
  expect(keys({ ...shared, seeds: [1n, 0n, 2n] })[2]).not.toBe(third);
  expect(first).not.toBe(keys()[0]);
});

test("everything that can change a result changes the key", () => {
  const all = [
    keys(),
    keys({ environment: "NoiseWorld-1" }),
    keys({ policySource: "class P: pass" }),
    keys({ limits: { memoryBytes: 2n ** 29n } }),
    keys({ capture: { all: true } }),
    keys({ capture: { all: true, stride: 2 } }),
    keys({ capture: { all: true, format: rollout.TrajectoryFormat.TRAJECTORY_FORMAT_PARQUET } }),
    keys({}, { variant: "key_info" }),
    keys({}, { fingerprintDigest: "g" }),
    keys({}, { revision: "sha256:1" }),
    keys({}, { revision: "sha256:2" }),
    keys({}, { confined: false }),
  ].flat();
  expect(new Set(all).size).toBe(all.length);
});
