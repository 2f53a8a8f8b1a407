#!/usr/bin/env node
// `npm start`: the main job. Without arguments the recorded demonstration, with `--env` and `--model` a live run.
import "./setup/node-version.mjs";

const { ensureSetup } = await import("./setup/ensure.mjs");
const { execTypeScript } = await import("./setup/exec.mjs");
const { join } = await import("node:path");
const { root } = await import("./setup/paths.mjs");
execTypeScript(await ensureSetup(), join(root, "packages/cli/src/main.ts"), ["demo", ...process.argv.slice(2)]);
