import { optimizer, types } from "@promptpo/contracts";
import { expect, test } from "vitest";
import { scoreTable } from "../commands/print-run.ts";
import { bestEpisode } from "./best-episode.ts";
import { curveOf, drawCurve } from "./learning-curve.ts";
import { sparkline } from "./sparkline.ts";

const score = (meanReturn: number, successRate: number) => optimizer.Score.fromPartial({ meanReturn, successRate });

const run = optimizer.Run.fromPartial({
  settings: { environment: "door-open-v3", selection: types.Selection.SELECTION_MEAN_SUCCESS, candidates: 2 },
  rounds: [{ number: 1, winnerScore: score(100, 0.2) }, { number: 2 }, { number: 3, winnerScore: score(90, 0.1) }],
  result: { candidateId: "run/r1/c00", round: 1, selectionScore: score(100, 0.2), heldoutScore: score(95, 0.15) },
});

test("bars run from lowest to highest, gaps stay gaps", () => {
  expect(sparkline([0, 0.5, 1])).toBe("▁▅█");
  expect(sparkline([3, Number.NaN, 3])).toBe("▅ ▅");
  expect(sparkline([])).toBe("");
});

test("the curve shows success where success selects, rounds without a winner as gaps, best so far never falling", () => {
  const curve = curveOf(
    run,
    [{ candidate: "r1/c01", round: 1, meanReturn: 5, successRate: 0, trainSteps: 0n }],
    "recorded",
  );
  expect(curve.axis).toBe("success rate");
  expect(curve.points).toEqual([
    { round: 1.125, value: 0, kind: "candidate" },
    { round: 1, value: 0.2, kind: "round's winner" },
    { round: 1, value: 0.2, kind: "best so far" },
    { round: 3, value: 0.1, kind: "round's winner" },
    { round: 3, value: 0.2, kind: "best so far" },
    { round: 1, value: 0.15, kind: "held-out" },
  ]);
  expect(curve.subtitle[0]).toContain("1 run");
});

test("where every winner solved the same share, the curve shows the return that decided", () => {
  const rounds = [3245, 3580].map((mean, at) => ({ number: at + 1, winnerScore: score(mean, 1) }));
  const curve = curveOf(optimizer.Run.fromPartial({ ...run, rounds, result: undefined }), [], "recorded");
  expect(curve.axis).toBe("mean return (success 1.00 in every round)");
  expect(curve.points.filter(({ kind }) => kind === "round's winner").map(({ value }) => value)).toEqual([3245, 3580]);
});

test("the picture is a PNG with letters in it, whatever fonts the machine has", async () => {
  const { svg, png } = await drawCurve(curveOf(run, [], "recorded answers"));
  expect(svg).toContain("door-open-v3");
  expect(Buffer.from(png.subarray(0, 8)).toString("latin1")).toBe("\x89PNG\r\n\x1a\n");
  expect(png.length).toBeGreaterThan(10_000);
});

test("the video shows a success before any return, and never a failed episode", () => {
  const episode = (seed: bigint, returnValue: number, success: boolean, failed = false) =>
    types.EpisodeResult.fromPartial({ seed, returnValue, success, ...(failed ? { error: { message: "no" } } : {}) });
  expect(bestEpisode([episode(1n, 900, false), episode(2n, 10, true), episode(3n, 20, true)])?.seed).toBe(3n);
  expect(bestEpisode([episode(1n, 900, false, true)])).toBeUndefined();
});

test("selection and held-out score stand side by side", () => {
  expect(run.result === undefined ? [] : scoreTable(run.result)).toEqual([
    "best: run/r1/c00  selection  held-out",
    "mean return             100        95",
    "success                0.20      0.15",
  ]);
});
