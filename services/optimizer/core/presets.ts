// The presets: what a run of a family of environments takes where its creator says nothing. One table, and its names.

export interface Preset {
  readonly rounds: number;
  readonly candidates: number;
}

const PUBLISHED: Preset = { rounds: 10, candidates: 10 };

/** By the family's name; `custom` is any environment that no family here describes. */
export const PRESETS: Readonly<Record<string, Preset>> = {
  mujoco: PUBLISHED,
  metaworld: PUBLISHED,
  pointmaze: PUBLISHED,
  noiseworld: { ...PUBLISHED, rounds: 5 },
  custom: PUBLISHED,
};

/** What holds for every preset. The published numbers, except where the project says why not. */
export const DEFAULTS = {
  trainSeeds: seedRange(0n, 4n),
  heldoutSeeds: seedRange(1000n, 1019n),
  publishedTies: false,
  reflection: true,
  feedbackProgram: true,
  /** Published: 10. A candidate that three repairs did not mend rarely wins. */
  maxRepairs: 3,
  maxFeedbackRepairs: 3,
  historyTokens: 60_000,
  seed: 0n,
  strategy: "promptpo",
  bestHintAfter: 10,
  modelTimeoutMs: 600_000,
} as const;

/** The preset of a family; `custom` where it has none of its own. */
export function presetNameOf(family: string): string {
  return Object.hasOwn(PRESETS, family) ? family : "custom";
}

function seedRange(first: bigint, last: bigint): readonly bigint[] {
  return Array.from({ length: Number(last - first) + 1 }, (_, at) => first + BigInt(at));
}
