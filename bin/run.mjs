#!/usr/bin/env node
// `node bin/run.mjs FILE.ts [args]`: set-up where needed, then the file under the pinned Node.
import "./setup/node-version.mjs";

const { ensureSetup } = await import("./setup/ensure.mjs");
const { execTypeScript } = await import("./setup/exec.mjs");
const [file, ...args] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write("usage: node bin/run.mjs FILE.ts [arguments]\n");
  process.exit(2);
}
execTypeScript(await ensureSetup(), file, args);
