// `npm ci` of a folder: the command line, the environment, and whether an installed tree is the one that the lock names.
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { runLogged } from "./commands.mjs";
import { requirePrerequisites } from "./prerequisites.mjs";
import { SetupProblem } from "./problem.mjs";

/**
 * @param {{ folder: string, node: string, log: string }} options the Node under which dependencies are resolved
 */
export async function npmCi({ folder, node, log }) {
  const { npm } = requirePrerequisites();
  // No install scripts: nothing that we use needs one, and a fetched script would run with the user's rights.
  const flags = ["ci", "--ignore-scripts", "--include=dev", "--include=optional", "--no-audit", "--no-fund"];
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env["PATH"] ?? ""}` };
  // The pinned Node brings its own list of authorities; a company's may be known to the system alone.
  env["NODE_USE_SYSTEM_CA"] ??= "1";
  // What `npm start` tells its script about the outer project.
  for (const name of Object.keys(env))
    if (/^npm_(lifecycle|package|command|execpath|node_execpath|config_local_prefix)/.test(name)) delete env[name];
  await runLogged({
    command: "script" in npm ? node : npm.program,
    args: "script" in npm ? [npm.script, ...flags] : flags,
    cwd: folder,
    env,
    log,
    remedy: "Is the npm registry reachable? Then run the same command again: it goes on from here.",
  });
  const missing = differences(folder);
  if (missing.length > 0)
    throw new SetupProblem(
      `npm left out what this platform needs: ${missing.slice(0, 5).join(", ")}`,
      "Usually the registry was out of reach for a moment: run the same command again.",
    );
}

/**
 * What differs between the lock and the installed tree, as npm itself noted it down after its last install.
 * @param {string} folder
 * @returns {string[]} empty: the tree is what the lock names
 */
export function differences(folder) {
  const note = join(folder, "node_modules", ".package-lock.json");
  if (!existsSync(note)) return ["node_modules"];
  const wanted = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")).packages;
  const found = JSON.parse(readFileSync(note, "utf8")).packages;
  const names = [];
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.includes("node_modules/")) continue;
    const there = found[path];
    if (there === undefined) {
      if (entry.optional !== true || madeForUs(entry)) names.push(path);
    } else if (there.version !== entry.version || (entry.integrity ?? there.integrity) !== there.integrity) {
      names.push(path);
    } else if (!existsSync(join(folder, path))) {
      names.push(path);
    }
  }
  for (const path of Object.keys(found))
    if (path.includes("node_modules/") && wanted[path] === undefined) names.push(path);
  return names;
}

/**
 * Whether an optional package is made for this very platform. One that names no platform came with one that does (parts of
 * a WebAssembly build, say) and is not asked for.
 */
function madeForUs(/** @type {{ os?: string[], cpu?: string[], libc?: string[] }} */ entry) {
  if (entry.os === undefined && entry.cpu === undefined) return false;
  const allows = (/** @type {string[] | undefined} */ list, /** @type {string} */ own) =>
    list === undefined ||
    list.includes(own) ||
    (list.every((name) => name.startsWith("!")) && !list.includes(`!${own}`));
  return allows(entry.os, process.platform) && allows(entry.cpu, process.arch) && allows(entry.libc, libc());
}

function libc() {
  if (process.platform !== "linux") return "";
  const header = /** @type {{ header?: { glibcVersionRuntime?: string } }} */ (process.report.getReport()).header;
  return header?.glibcVersionRuntime === undefined ? "musl" : "glibc";
}
