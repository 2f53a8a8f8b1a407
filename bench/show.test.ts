import { expect, test } from "vitest";
import { missingRow, type Row } from "./row.ts";
import { asJson, asTable, type Report } from "./show.ts";

const cheetah: Row = {
  ...{ name: "cheetah", unit: "of bare", target: 0.8, sense: ">=", value: 0.8254, met: true },
  ...{ range: [0.79, 0.91], ours: 24_431.7, peer: 29_600, bitsEqual: true, note: "16 episodes of 1000 steps" },
};
const pool = missingRow({ name: "send/recv", unit: "of EnvPool", target: 0.8, sense: ">=" }, "no EnvPool");
const memory: Row = {
  ...{ name: "memory", unit: "ratio", target: 1.05, sense: "<=", value: 1.2, met: false },
  ...{ range: null, ours: 12.34, peer: 10, bitsEqual: null, note: "" },
};
const report: Report = {
  bench: "rollout",
  machine: { cpu: "a chip", cores: 2, memory_gib: 16, kernel: "6.18", load: 0.24, versions: { numpy: "2.4.6" } },
  rows: [cheetah, pool, memory],
};

test("the document has the promised keys first, and a row without a number says null and why", () => {
  const shown = JSON.parse(asJson(report));
  expect(Object.keys(shown)).toEqual(["bench", "machine", "rows"]);
  for (const row of shown.rows)
    expect(Object.keys(row).slice(0, 5)).toEqual(["name", "value", "unit", "target", "met"]);
  expect(shown.rows[0]).toMatchObject({ value: 0.8254, met: true, range: [0.79, 0.91], bits_equal: true });
  expect(shown.rows[1]).toMatchObject({ value: null, met: false, note: "no EnvPool" });
});

test("the table shows every row under its titles, a missed target in capitals", () => {
  expect(asTable(report).split("\n")).toEqual([
    "rollout: 2 cores, a chip, load 0.2 at the start",
    "numpy 2.4.6",
    "",
    "row        value  unit        target   met  range       ours   peer   bits   note",
    "cheetah    0.83   of bare     >= 0.80  yes  0.79..0.91  24432  29600  equal  16 episodes of 1000 steps",
    "send/recv         of EnvPool  >= 0.80  ?                                     no EnvPool",
    "memory     1.20   ratio       <= 1.05  NO               12.3   10.0",
  ]);
});
