import { rollout } from "@promptpo/contracts";
import { expect, test } from "vitest";
import { environmentJson } from "./environment-json.ts";

test("an action space without bounds is read back without bounds", () => {
  const environment = rollout.Environment.fromPartial({
    id: "gym:Unbounded-v0",
    horizon: 5n,
    revision: "unbounded==1",
    actionSpace: { kind: "box", shape: [2n], low: [Number.NEGATIVE_INFINITY, -1], high: [Number.POSITIVE_INFINITY, 1] },
  });
  expect(rollout.Environment.fromJSON(JSON.parse(environmentJson(environment)))).toEqual(environment);
});
