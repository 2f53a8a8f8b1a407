// One worker on one core, jail on, a fresh process an episode, beside the bare loop on the same core: what confinement costs.
import { interleave } from "../interleave.ts";
import { lockedPython } from "../paths.ts";
import { pythonContestant } from "../python-contestant.ts";
import { ratioRow, type Target } from "../row.ts";
import { type Section, say } from "../section.ts";
import { policyFile } from "./policy-file.ts";

interface Lane extends Target {
  readonly environment: string;
  readonly policy: string;
  /** A round: about a second of the bare loop. */
  readonly episodes: number;
}

const lane = (environment: string, policy: string, episodes: number, target: number): Lane => ({
  name: `${environment}, one core, jailed`,
  unit: "of bare",
  sense: ">=",
  ...{ target, environment, policy, episodes },
});

const LANES = [
  lane("HalfCheetah-v5", "half_cheetah", 16, 0.8),
  lane("Hopper-v5", "hopper", 8, 0.9),
  lane("Humanoid-v5", "humanoid", 32, 0.95),
  lane("button-press-v3", "button_press", 8, 0.95),
];

export const lanes: Section = {
  targets: LANES,
  async *measure(wanted, rounds) {
    for (const each of LANES.filter((one) => wanted.includes(one))) {
      say(`${each.name} ...`);
      const work = [each.environment, policyFile(each.policy), each.episodes];
      await using peer = await pythonContestant(lockedPython, "bare_episodes.py", [...work, "--pinned"]);
      await using ours = await pythonContestant(lockedPython, "jailed_episodes.py", work);
      const found = await interleave({ peer, ours }, rounds);
      yield ratioRow(each, found.ours, found.peer);
    }
  },
};
