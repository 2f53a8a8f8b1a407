// The learning curve as a picture: each candidate a point, each round's winner, the best so far as a line, and the held-out
// score of the result. One run is drawn as points and lines, never as a band; how many runs it shows is written on it.

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { optimizer } from "@promptpo/contracts";
import { Resvg } from "@resvg/resvg-js";
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Scored } from "../progress/progress.ts";
import { measureOf } from "./measure-of.ts";

export interface Curve {
  readonly title: string;
  readonly subtitle: readonly string[];
  readonly axis: string;
  readonly points: readonly Point[];
}

interface Point {
  readonly round: number;
  readonly value: number;
  readonly kind: "candidate" | "round's winner" | "best so far" | "held-out";
}

/** What is drawn, from a run that ended and the scores of its candidates. Pure. */
export function curveOf(run: optimizer.Run, scored: readonly Scored[], answers: string): Curve {
  const { bySuccess, words } = measureOf(run);
  const { settings } = run;
  const scoreOf = (score: optimizer.Score) => (bySuccess ? score.successRate : score.meanReturn);
  const points: Point[] = scored.map((each) => ({
    // Equal scores beside each other, not one over the other.
    round: each.round + spread(Number(each.candidate.split("/c")[1] ?? 0), settings?.candidates ?? 1),
    value: bySuccess ? each.successRate : each.meanReturn,
    kind: "candidate",
  }));
  let best = Number.NEGATIVE_INFINITY;
  for (const round of run.rounds) {
    const value = round.winnerScore === undefined ? Number.NaN : scoreOf(round.winnerScore);
    if (!Number.isFinite(value)) continue;
    points.push({ round: round.number, value, kind: "round's winner" });
    best = Math.max(best, value);
    points.push({ round: round.number, value: best, kind: "best so far" });
  }
  const heldout = run.result?.heldoutScore;
  if (run.result !== undefined && heldout !== undefined && Number.isFinite(scoreOf(heldout)))
    points.push({ round: run.result.round, value: scoreOf(heldout), kind: "held-out" });
  return {
    title: settings?.environment ?? "",
    subtitle: [
      `1 run, ${settings?.candidates ?? 0} candidates a round`,
      `${settings?.trainSeeds.length ?? 0} training and ${settings?.heldoutSeeds.length ?? 0} held-out episodes`,
      answers,
    ],
    axis: words,
    points: points.filter((point) => Number.isFinite(point.value)),
  };
}

/** Candidates of a round side by side, a quarter of a round wide together. */
function spread(index: number, count: number): number {
  return count < 2 ? 0 : (index / (count - 1) - 0.5) / 4;
}

export interface Picture {
  readonly svg: string;
  readonly png: Uint8Array;
}

export async function drawCurve(curve: Curve): Promise<Picture> {
  const view = new View(parse(compile(specOf(curve)).spec), { renderer: "none" });
  try {
    const svg = await view.toSVG();
    return { svg, png: toPng(svg) };
  } finally {
    view.finalize();
  }
}

const SHARES: readonly number[] = [0, 1];

const COLORS: Record<Point["kind"], string> = {
  candidate: "#9aa5b1",
  "round's winner": "#1f6feb",
  "best so far": "#8db9f5",
  "held-out": "#d1242f",
};

function specOf(curve: Curve): TopLevelSpec {
  const kinds = Object.keys(COLORS) as Point["kind"][];
  const last = Math.max(1, ...curve.points.map((point) => Math.round(point.round)));
  const rounds = Array.from({ length: last }, (_, at) => at + 1);
  const domain: number[] = [0.6, last + 0.4];
  const only = (...wanted: Point["kind"][]) => [{ filter: { field: "kind", oneOf: wanted } }];
  const y = {
    field: "value",
    type: "quantitative",
    title: curve.axis,
    ...(curve.axis === "success rate" ? { scale: { domain: [...SHARES] } } : { scale: { zero: false } }),
  } as const;
  const x = {
    field: "round",
    type: "quantitative",
    title: "round",
    axis: { values: rounds, format: "d", grid: false },
    scale: { domain, nice: false, zero: false },
  } as const;
  const shown = kinds.filter((kind) => curve.points.some((point) => point.kind === kind));
  const color = {
    field: "kind",
    type: "nominal",
    scale: { domain: shown, range: shown.map((kind) => COLORS[kind]) },
    legend: { title: null, orient: "bottom" },
  } as const;
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    width: 560,
    height: 320,
    padding: 16,
    background: "white",
    title: { text: curve.title, subtitle: [...curve.subtitle], anchor: "start", subtitleColor: "#57606a", offset: 12 },
    config: { font: FONT, axis: { labelFontSize: 12, titleFontSize: 13 }, legend: { labelFontSize: 12 } },
    data: { values: curve.points.map((point) => ({ ...point })) },
    encoding: { x, y, color },
    layer: [
      { transform: only("candidate"), mark: { type: "point", filled: true, size: 45, opacity: 0.8 } },
      { transform: only("best so far"), mark: { type: "line", strokeWidth: 2, interpolate: "step-after" } },
      { transform: only("round's winner"), mark: { type: "point", filled: true, size: 95, opacity: 1 } },
      { transform: only("held-out"), mark: { type: "point", filled: true, shape: "diamond", size: 150, opacity: 1 } },
    ],
  };
}

/** A font of our own: a machine without fonts would draw no letters. */
const FONT = "DejaVu Sans";

function toPng(svg: string): Uint8Array {
  const fonts = join(dirname(createRequire(import.meta.url).resolve("dejavu-fonts-ttf/package.json")), "ttf");
  const resvg = new Resvg(svg, {
    fitTo: { mode: "zoom", value: 2 },
    font: {
      loadSystemFonts: false,
      fontFiles: ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"].map((name) => join(fonts, name)),
      defaultFontFamily: FONT,
    },
  });
  return resvg.render().asPng();
}
