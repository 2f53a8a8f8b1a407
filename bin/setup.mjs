#!/usr/bin/env node
// `npm run setup`: everything that the fleet needs, into this folder alone. Every other command does the same when needed.
import "./setup/node-version.mjs";

const { ensureSetup } = await import("./setup/ensure.mjs");
const node = await ensureSetup({ verbose: true });
process.stderr.write(`set-up: ready (${node})\n`);
