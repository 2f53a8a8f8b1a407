// `npm run record -- --env ENV --model NAME --out recordings/demo ...`: a whole run with its answers written down, from the
// endpoint of OPENAI_BASE_URL, then a strict replay. Needed again whenever a prompt changes.
import { requirePinnedNode } from "@promptpo/fleet/pinned-node.mjs";

requirePinnedNode();
const { runRecorder } = await import("@promptpo/cli/record/run-recorder.ts");
process.exitCode = await runRecorder(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signals: process,
});
