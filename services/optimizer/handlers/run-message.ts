// A loaded run as a response shows it: in a view, with the digest of its canonical log.
import { optimizer } from "@promptpo/contracts";
import { logDigest } from "../core/canonical.ts";
import { basicView, runView } from "../core/run-view.ts";
import type { LoadedRun } from "./ports.ts";

export function runMessage(
  { state, events, facts, digest }: LoadedRun,
  view: optimizer.RunView = optimizer.RunView.RUN_VIEW_BASIC,
): optimizer.Run {
  const full = runView(state, facts);
  const run = view === optimizer.RunView.RUN_VIEW_FULL ? full : basicView(full);
  return { ...run, digest: digest === "" ? logDigest(state.runId, events) : digest };
}
