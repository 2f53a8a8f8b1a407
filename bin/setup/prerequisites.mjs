// What a machine must bring along: npm and Python 3.11 (Node is checked by node-version.mjs). Finds them wherever they
// usually are; each one that is missing is named with its remedy, all in one message.
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { SetupProblem } from "./problem.mjs";

/** npm's own script and a way to run it under any Node. @returns {{ script: string } | { program: string } | undefined} */
export function findNpm(env = process.env) {
  // npm names itself to the scripts that it runs.
  const started = env["npm_execpath"];
  if (started !== undefined && /npm-cli\.[cm]?js$/.test(started) && existsSync(started)) return { script: started };
  const program = onPath("npm", env);
  if (program === undefined) return undefined;
  const real = realpathSync(program);
  for (const script of [
    real,
    join(dirname(real), "npm-cli.js"),
    join(dirname(real), "node_modules/npm/bin/npm-cli.js"),
  ])
    if (/npm-cli\.[cm]?js$/.test(script) && existsSync(script)) return { script };
  return { program };
}

/** Path of a Python 3.11 that can make virtual environments. @returns {string | undefined} */
export function findPython(env = process.env) {
  const pyenvRoots = [
    env["PYENV_ROOT"],
    join(env["HOME"] ?? homedir(), ".pyenv"),
    dirname(dirname(onPath("pyenv", env) ?? "/x/x")),
  ];
  const candidates = ["python3.11", "python3", "python"].map((name) => onPath(name, env));
  for (const root of new Set(pyenvRoots)) {
    const versions = join(root ?? "", "versions");
    if (root === undefined || !existsSync(versions)) continue;
    for (const version of readdirSync(versions)
      .filter((name) => name.startsWith("3.11"))
      .sort()
      .reverse())
      candidates.push(join(versions, version, "bin", "python3.11"));
  }
  for (const candidate of candidates) {
    if (candidate === undefined || !existsSync(candidate)) continue;
    const real = executableOf(candidate, env);
    if (real !== undefined) return real;
  }
  return undefined;
}

/** Where the interpreter really is (a pyenv shim is a shell script), if it is a 3.11. @param {string} python */
function executableOf(python, env = process.env) {
  try {
    const probe = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys._base_executable or sys.executable)";
    const output = execFileSync(python, ["-I", "-c", probe], {
      encoding: "utf8",
      env,
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 20_000,
    });
    const [version, executable] = output.trim().split("\n");
    return version === "3.11" ? executable : undefined;
  } catch {
    return undefined;
  }
}

/** @param {NodeJS.ProcessEnv} [env] @returns {{ npm: { script: string } | { program: string }, python: string }} */
export function requirePrerequisites(env = process.env) {
  const npm = findNpm(env);
  const python = findPython(env);
  const missing = [];
  if (npm === undefined)
    missing.push("npm is not on PATH: install Node 20 or newer with npm (nvm, nodejs.org, or `apt-get install npm`)");
  if (python === undefined)
    missing.push(
      "Python 3.11 was found neither as python3.11 nor python3 nor under pyenv: install it (`apt-get install python3.11 python3.11-venv`, `brew install python@3.11`, or `pyenv install 3.11`)",
    );
  if (npm === undefined || python === undefined)
    throw new SetupProblem("this machine lacks what set-up needs:", missing.join("\n"), 7);
  return { npm, python };
}

/** @param {string} name @param {NodeJS.ProcessEnv} env */
export function onPath(name, env = process.env) {
  for (const folder of (env["PATH"] ?? "").split(delimiter)) {
    if (folder === "") continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here.
    }
  }
  return undefined;
}
