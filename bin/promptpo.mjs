#!/usr/bin/env node
// `npx promptpo` from the checkout: set-up where needed, then the command line.
import "./setup/node-version.mjs";

const { ensureSetup } = await import("./setup/ensure.mjs");
const { execTypeScript } = await import("./setup/exec.mjs");
const { join } = await import("node:path");
const { root } = await import("./setup/paths.mjs");
execTypeScript(await ensureSetup(), join(root, "packages/cli/src/main.ts"), process.argv.slice(2));
