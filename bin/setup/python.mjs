// The Python environment: a venv of the machine's Python 3.11 with exactly the locked packages, each checked by its hash.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runLogged } from "./commands.mjs";
import { root, stamps, venv, venvPython } from "./paths.mjs";
import { requirePrerequisites } from "./prerequisites.mjs";

// What the sidecars run on, and what tests and type checks need beside it.
const locks = ["requirements.lock", "requirements-dev.lock"].map((name) => join(root, "python", name));

/** @type {import("./step.mjs").Step} */
export const pythonStep = {
  name: "python",
  title: "Python 3.11 environment with simulators (about 400 MB)",
  inputs: () => locks,
  present: () => existsSync(venvPython),
  intact: () => holdsLocked(venvPython, locks.map((lock) => readFileSync(lock, "utf8")).join("\n")),
  async run() {
    const { python } = requirePrerequisites();
    const log = join(stamps, "python.log");
    // An environment of the user's own must not lead pip elsewhere.
    const env = { ...process.env };
    for (const name of ["PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"])
      delete env[name];
    rmSync(venv, { recursive: true, force: true });
    await runLogged({
      command: python,
      args: ["-m", "venv", venv],
      cwd: root,
      env,
      log,
      remedy: "Debian and Ubuntu keep this module apart: apt-get install python3.11-venv",
    });
    await runLogged({
      command: venvPython,
      args: [
        "-m",
        "pip",
        "install",
        "--no-input",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        ...locks.flatMap((lock) => ["-r", lock]),
      ],
      cwd: root,
      env,
      log,
      remedy: "Is the Python package index reachable? Then run the same command again.",
    });
  },
};

/** True when every pinned package is there in its pinned version. @param {string} python @param {string} lockText */
export function holdsLocked(python, lockText) {
  const normal = (/** @type {string} */ name) => name.toLowerCase().replace(/[-_.]+/g, "-");
  const pins = [...lockText.matchAll(/^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)/gm)].map((match) => [
    normal(match[1] ?? ""),
    match[2],
  ]);
  try {
    const probe =
      "import importlib.metadata as m\nfor d in m.distributions(): print(d.metadata['Name'] + '==' + d.version)";
    const output = execFileSync(python, ["-I", "-c", probe], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const found = new Map(
      output
        .trim()
        .split("\n")
        .map((line) => line.split("=="))
        .map(([name, version]) => [normal(name ?? ""), version]),
    );
    return pins.length > 0 && pins.every(([name, version]) => found.get(name ?? "") === version);
  } catch {
    return false;
  }
}
