// One step of set-up: skipped while its stamp names the inputs of today, otherwise done whole. A stamp is removed before
// the work begins and written after it ends, so a step that was cut short is done again.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/**
 * @typedef {object} Step
 * @property {string} name file name of its stamp
 * @property {string} title shown while it works
 * @property {() => readonly string[]} inputs what its result depends on: paths of files, or `=text`
 * @property {() => boolean} present a cheap look whether its result is there at all
 * @property {() => Promise<boolean> | boolean} [intact] a closer look: its result is there and whole, made by other hands
 *   (a developer's `npm install`); never believed after a step that was cut short
 * @property {(say: (line: string) => void) => Promise<void>} run
 * @property {boolean} [optional] a failure is told in a line and set-up goes on
 */

/**
 * @param {Step} step
 * @param {string} root paths enter the hash relative to it
 */
export function inputsHash(step, root) {
  const hash = createHash("sha256");
  for (const input of step.inputs()) {
    if (input.startsWith("=")) hash.update(`${input}\0`);
    else
      hash
        .update(`${relative(root, input)}\0`)
        .update(existsSync(input) ? readFileSync(input) : "")
        .update("\0");
  }
  return hash.digest("hex");
}

/** @param {Step} step @param {string} stamps @param {string} root */
export function isCurrent(step, stamps, root) {
  return readStamp(stamps, step.name)?.inputs === inputsHash(step, root) && step.present();
}

/**
 * Brings a step up to date. Returns what was done.
 * @param {Step} step @param {string} stamps @param {string} root @param {(line: string) => void} say
 * @returns {Promise<"current" | "found" | "done">}
 */
export async function bringUp(step, stamps, root, say) {
  const inputs = inputsHash(step, root);
  if (isCurrent(step, stamps, root)) return "current";
  const begun = join(stamps, `${step.name}.begun`);
  if (!existsSync(begun) && step.present() && step.intact !== undefined && (await step.intact())) {
    writeStamp(stamps, step.name, { inputs });
    return "found";
  }
  mkdirSync(stamps, { recursive: true });
  rmSync(join(stamps, `${step.name}.json`), { force: true });
  writeFileSync(begun, "");
  await step.run(say);
  writeStamp(stamps, step.name, { inputs });
  rmSync(begun, { force: true });
  return "done";
}

/** @param {string} stamps @param {string} name */
function readStamp(stamps, name) {
  try {
    return JSON.parse(readFileSync(join(stamps, `${name}.json`), "utf8"));
  } catch {
    return undefined;
  }
}

/** @param {string} stamps @param {string} name @param {{ inputs: string }} value */
function writeStamp(stamps, name, value) {
  writeWhole(join(stamps, `${name}.json`), JSON.stringify(value));
}

/** A reader sees the whole file or none of it. @param {string} file @param {string} content */
export function writeWhole(file, content) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.draft`, content);
  renameSync(`${file}.draft`, file);
}
