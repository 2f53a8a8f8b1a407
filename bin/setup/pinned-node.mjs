// The Node that everything but set-up runs under: from npm where there is a build, else the one that runs us, if it is of
// the right major.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PINNED_NODE_MAJOR } from "../../packages/fleet/src/pinned-node.mjs";
import { npmCi } from "./npm.mjs";
import { stamps, toolchain } from "./paths.mjs";
import { SetupProblem } from "./problem.mjs";

const fromNpm = join(toolchain, "node_modules", `node-${process.platform}-${process.arch}`, "bin", "node");

/** Path of the pinned Node, if it is there. @returns {string | undefined} */
export function pinnedNode() {
  if (existsSync(fromNpm)) return fromNpm;
  return Number(process.versions.node.split(".")[0]) === PINNED_NODE_MAJOR ? process.execPath : undefined;
}

/** @type {import("./step.mjs").Step} */
export const nodeStep = {
  name: "node",
  title: `Node ${PINNED_NODE_MAJOR}, pinned, from npm`,
  inputs: () => [
    join(toolchain, "package.json"),
    join(toolchain, "package-lock.json"),
    `=${process.platform}-${process.arch}`,
  ],
  present: () => pinnedNode() !== undefined,
  intact: () => existsSync(fromNpm) && versionOf(fromNpm) === wantedVersion(),
  async run(say) {
    const offered = JSON.parse(readFileSync(join(toolchain, "package-lock.json"), "utf8")).packages;
    if (`node_modules/node-${process.platform}-${process.arch}` in offered)
      await npmCi({ folder: toolchain, node: process.execPath, log: join(stamps, "node.log") });
    const node = pinnedNode();
    const version = node === undefined ? undefined : versionOf(node);
    if (version === undefined || !version.startsWith(`v${PINNED_NODE_MAJOR}.`))
      throw new SetupProblem(
        `npm has no Node ${PINNED_NODE_MAJOR} that runs on ${process.platform}-${process.arch}, and this is Node ${process.versions.node}`,
        `Install Node ${PINNED_NODE_MAJOR} (nvm install ${PINNED_NODE_MAJOR}, or nodejs.org), put it first on PATH, and run the same command again.`,
        7,
      );
    say(`Node ${version} at ${node}`);
  },
};

function wantedVersion() {
  const pins = JSON.parse(readFileSync(join(toolchain, "package.json"), "utf8")).optionalDependencies;
  return `v${pins[`node-${process.platform}-${process.arch}`]}`;
}

/** @param {string} node */
function versionOf(node) {
  try {
    return execFileSync(node, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}
