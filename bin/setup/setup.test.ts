// The whole of set-up in a small checkout of its own: real npm, real venv, packages that cost nothing.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../packages/fleet/src/testing.ts";
import { findNpm, findPython } from "./prerequisites.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

function smallCheckout(): string {
  const folder = temporaryFolder("promptpo-setup");
  cpSync(join(root, "bin"), join(folder, "bin"), { recursive: true, filter: (file) => !file.endsWith(".ts") });
  mkdirSync(join(folder, "packages/fleet/src"), { recursive: true });
  for (const name of ["folder-lock.mjs", "process-identity.mjs", "pinned-node.mjs"])
    cpSync(join(root, "packages/fleet/src", name), join(folder, "packages/fleet/src", name));
  // Workspaces that need nothing from the registry; the Node that runs the test is the pinned one.
  const write = (file: string, value: object) => writeFileSync(join(folder, file), JSON.stringify(value));
  const small = { name: "small", version: "1.0.0", workspaces: ["packages/*"] };
  const fleet = { name: "small-fleet", version: "1.0.0" };
  write("package.json", { private: true, ...small });
  write("packages/fleet/package.json", fleet);
  write("package-lock.json", {
    ...small,
    lockfileVersion: 3,
    packages: {
      "": small,
      "node_modules/small-fleet": { resolved: "packages/fleet", link: true },
      "packages/fleet": fleet,
    },
  });
  mkdirSync(join(folder, "toolchain"));
  write("toolchain/package-lock.json", { lockfileVersion: 3, packages: {} });
  for (const name of ["services", "python", "tools"]) mkdirSync(join(folder, name));
  for (const name of ["requirements.lock", "requirements-dev.lock"]) writeFileSync(join(folder, "python", name), "");
  // Only what the README asks for is on this PATH.
  const npm = findNpm();
  symlinkSync(process.execPath, join(folder, "tools", "node"));
  symlinkSync(findPython() ?? "", join(folder, "tools", "python3.11"));
  if (npm !== undefined) symlinkSync("script" in npm ? npm.script : npm.program, join(folder, "tools", "npm"));
  return folder;
}

interface Ended {
  readonly code: number | null;
  readonly text: string;
}

function start(
  folder: string,
  ...args: string[]
): { child: ChildProcess; said(pattern: RegExp): Promise<void>; ended: Promise<Ended> } {
  const home = join(folder, "home");
  mkdirSync(home, { recursive: true });
  const child = spawn(process.execPath, args.length > 0 ? args : [join(folder, "bin/setup.mjs")], {
    cwd: folder,
    env: { PATH: join(folder, "tools"), HOME: home, LANG: "C.UTF-8" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const heard = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (piece) => {
      text += String(piece);
      for (const listener of heard) listener();
    });
  return {
    child,
    said: (pattern) =>
      new Promise((done, failed) => {
        child.once("close", () => failed(new Error(`it ended without saying ${pattern}:\n${text}`)));
        const look = () => {
          if (pattern.test(text)) done();
        };
        heard.add(look);
        look();
      }),
    ended: once(child, "close").then(([code]) => ({ code, text })),
  };
}

test("interrupted in the middle, set up by two at once, then up to date; a TypeScript file runs and its exit code comes through", async () => {
  const folder = smallCheckout();
  const venv = join(folder, ".promptpo/venv/bin/python");

  const first = start(folder);
  await first.said(/Python 3\.11 environment/);
  first.child.kill("SIGINT");
  const interrupted = await first.ended;
  expect(interrupted.code).toBe(130);
  expect(interrupted.text).toContain("the same command goes on from here");

  const second = start(folder);
  await second.said(/Python 3\.11 environment/);
  const third = start(folder);
  const [one, other] = await Promise.all([second.ended, third.ended]);
  expect(one.code, one.text).toBe(0);
  expect(other.code, other.text).toBe(0);
  expect(other.text).toMatch(new RegExp(`process ${second.child.pid} sets up this folder`));
  expect(other.text).toMatch(/Python 3\.11 environment.*up to date/);
  expect(one.text).toContain("videos are left out");
  expect(existsSync(venv)).toBe(true);

  // Nothing is said any more when everything is up to date.
  writeFileSync(join(folder, "three.ts"), "const code: number = 3;\nprocess.exit(code);\n");
  const quiet = await start(folder, join(folder, "bin/run.mjs"), "three.ts").ended;
  expect(quiet).toEqual({ code: 3, text: "" });
});

test("a lock that the manifest has left behind is told in npm's own words", async () => {
  const folder = smallCheckout();
  const manifest = {
    name: "small",
    version: "1.0.0",
    workspaces: ["packages/*"],
    dependencies: { "is-number": "7.0.0" },
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  const { code, text } = await start(folder).ended;
  expect(code).toBe(1);
  expect(text).toMatch(/npm error[\s\S]*(in sync|Missing)/);
});
