/** Which states a run does not leave any more. */
import { optimizer } from "@promptpo/contracts";

const { RunState } = optimizer;
const ENDS: ReadonlySet<optimizer.RunState> = new Set([
  RunState.RUN_STATE_SUCCEEDED,
  RunState.RUN_STATE_FAILED,
  RunState.RUN_STATE_CANCELLED,
  RunState.RUN_STATE_STOPPED_BY_BUDGET,
]);

export function hasEnded(run: { readonly state: optimizer.RunState }): boolean {
  return ENDS.has(run.state);
}
