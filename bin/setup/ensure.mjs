// Set-up as a whole: every step in order, skipped when up to date, one set-up at a time. Speaks on standard error, so that
// a command's data stays alone on standard output. Ctrl-C ends what runs and leaves what the next start repairs.
import { lockHolder, tryLockFolder } from "../../packages/fleet/src/folder-lock.mjs";
import { endLeftover, killRunning } from "./commands.mjs";
import { packagesStep } from "./packages.mjs";
import { root, stamps } from "./paths.mjs";
import { nodeStep, pinnedNode } from "./pinned-node.mjs";
import { requirePrerequisites } from "./prerequisites.mjs";
import { SetupProblem } from "./problem.mjs";
import { pythonStep } from "./python.mjs";
import { bringUp, isCurrent } from "./step.mjs";
import { videoStep } from "./video.mjs";

const steps = [nodeStep, packagesStep, pythonStep, videoStep];

/**
 * Everything in place, or the process ends with what is missing. Returns the path of the pinned Node.
 * @param {{ verbose?: boolean }} [options] verbose: also says what is up to date
 */
export async function ensureSetup({ verbose = false } = {}) {
  try {
    if (!verbose && steps.every((step) => isCurrent(step, stamps, root))) return nodeOrThrow();
    return await setUp(verbose);
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    say(`set-up: ${error.describe()}`);
    process.exit(error.exitCode);
  }
}

/** @param {boolean} verbose */
async function setUp(verbose) {
  requirePrerequisites();
  const release = await lock();
  const stop = (/** @type {NodeJS.Signals} */ signal) => {
    killRunning();
    release();
    say("set-up: interrupted; the same command goes on from here");
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(signal, stop);
  try {
    await endLeftover();
    for (const step of steps) await oneStep(step, verbose);
  } finally {
    for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.off(signal, stop);
    release();
  }
  return nodeOrThrow();
}

/** @param {import("./step.mjs").Step} step @param {boolean} verbose */
async function oneStep(step, verbose) {
  const current = isCurrent(step, stamps, root);
  if (!current) say(`set-up: ${step.title} ...`);
  const started = performance.now();
  const notes = /** @type {string[]} */ ([]);
  const outcome = await bringUp(step, stamps, root, (line) => notes.push(line));
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  for (const note of notes) say(`set-up:   ${note}`);
  if (outcome === "done") say(`set-up:   done (${seconds} s)`);
  else if (outcome === "found") say("set-up:   already there");
  else if (verbose) say(`set-up: ${step.title}: up to date`);
}

async function lock() {
  let told = false;
  for (;;) {
    const lock = tryLockFolder(stamps, "lock", "set-up");
    if (lock.held) return lock.release;
    if (!told) say(`set-up: process ${lock.holder.pid} sets up this folder since ${lock.holder.since}: waiting for it`);
    told = true;
    while (lockHolder(stamps, "lock") !== undefined) await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function nodeOrThrow() {
  const node = pinnedNode();
  if (node === undefined) throw new SetupProblem("the pinned Node is gone", "Run `npm run setup`.");
  return node;
}

/** @param {string} line */
function say(line) {
  process.stderr.write(`${line}\n`);
}
