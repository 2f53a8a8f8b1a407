import { expect, test } from "vitest";
import { interleave } from "./interleave.ts";
import type { Contestant, Measurement } from "./measurement.ts";
import { missingRow, ratioRow, type Target, valueRow } from "./row.ts";

const target: Target = { name: "cheetah", unit: "of bare", target: 0.8, sense: ">=" };

const measured = (seconds: number, bits: readonly number[] = []): Measurement => ({
  ...{ seconds, amount: 100, episodes: 0 },
  bits: [...bits],
});

test("a round is compared with the peer's turn of the same round, and the median of those is the value", () => {
  const ours = [measured(1), measured(10), measured(4)];
  const peer = [measured(0.9), measured(5), measured(4)];
  const row = ratioRow(target, ours, peer);
  expect(row).toMatchObject({ value: 0.9, met: true, range: [0.5, 1], ours: 25, peer: 25, bitsEqual: null });
});

test("returns that differ in any bit fail the row however fast it was, and are named", () => {
  const row = ratioRow(target, [measured(1, [1, 0])], [measured(2, [1, -0])]);
  expect(row).toMatchObject({ value: 2, met: false, bitsEqual: false });
  expect(row.note).toBe("return 1 is 0, the peer's 0");
  expect(ratioRow(target, [measured(1, [1])], [measured(2, [1, 2])]).bitsEqual).toBe(false);
  expect(ratioRow(target, [measured(1, [Number.NaN])], [measured(2, [Number.NaN])]).bitsEqual).toBe(true);
});

test("a row says how long its episodes were", () => {
  const each = { seconds: 1, amount: 217, bits: [], episodes: 2 };
  expect(ratioRow(target, [each], [each]).note).toBe("2 episodes of 109 steps");
});

test("a limit is met from below", () => {
  const limit: Target = { ...target, target: 60, sense: "<=" };
  expect(valueRow(limit, [50, 70, 60])).toMatchObject({ value: 60, met: true, range: [50, 70] });
  expect(valueRow(limit, [61])).toMatchObject({ met: false, range: null });
});

test("a row without its peer has no value and is not met", () => {
  expect(missingRow(target, "EnvPool could not be installed")).toMatchObject({
    ...{ value: null, met: false, note: "EnvPool could not be installed" },
  });
});

test("contestants take turns, and the first round warms up", async () => {
  const turns: string[] = [];
  const contestant = (name: string): Contestant => ({
    async measure(round) {
      turns.push(`${name}${round}`);
      return measured(round + 1);
    },
    async [Symbol.asyncDispose]() {},
  });
  const found = await interleave({ peer: contestant("peer"), ours: contestant("ours") }, 2);
  expect(turns).toEqual(["peer0", "ours0", "peer1", "ours1", "peer2", "ours2"]);
  expect(found.ours.map(({ seconds }) => seconds)).toEqual([2, 3]);
});
