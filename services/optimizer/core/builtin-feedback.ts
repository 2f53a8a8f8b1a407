// The feedback program that stands in where the model's own stays broken: first, last, least and greatest value of each
// field. It runs in the jail like any other. Owns that one Python source; the fields' names are written into it.
import type { rollout } from "@promptpo/contracts";

/** Longer vectors are told by their norm: a line an entry would be longer than it is worth. */
const ENTRIES_MOST = 12;

export function builtinFeedback(environment: Pick<rollout.Environment, "observationFields">): string {
  const names = environment.observationFields.map(({ name }) => JSON.stringify(name));
  return `import numpy as np

FIELDS = (${names.join(", ")}${names.length === 1 ? "," : ""})
ENTRIES_MOST = ${ENTRIES_MOST}


def describe(values):
    if np.all(values == values[0]):
        return f"constant {values[0]:.6g}"
    return f"first {values[0]:.6g}, last {values[-1]:.6g}, min {np.min(values):.6g}, max {np.max(values):.6g}"


class Feedback:
    def summarize_trajectory(self, traj):
        parts = [f"{len(traj)} steps"]
        for name in FIELDS:
            rows = np.array([np.ravel(np.asarray(getattr(obs, name), dtype=float)) for obs in traj])
            if rows.shape[1] == 1:
                parts.append(f"{name}: {describe(rows[:, 0])}")
            elif np.all(rows == rows[0]):
                parts.append(f"{name}: constant vector")
            elif rows.shape[1] <= ENTRIES_MOST:
                parts.extend(f"{name}[{i}]: {describe(rows[:, i])}" for i in range(rows.shape[1]))
            else:
                parts.append(f"norm of {name}: {describe(np.linalg.norm(rows, axis=1))}")
        return "; ".join(parts)[:3500]
`;
}
