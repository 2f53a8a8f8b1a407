// The `promptpo` program: checks its Node, then runs the command line and leaves with its exit code.
import { requirePinnedNode } from "@promptpo/fleet/pinned-node.mjs";

requirePinnedNode();
const { runCli } = await import("./run-cli.ts");
process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signals: process,
});
