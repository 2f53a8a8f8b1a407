import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../packages/fleet/src/testing.ts";
import { findNpm, findPython, requirePrerequisites } from "./prerequisites.mjs";

/** A program that answers every question with the same lines. */
function program(folder: string, name: string, ...lines: string[]): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), `#!/bin/sh\nprintf '%s\\n' ${lines.map((line) => `'${line}'`).join(" ")}\n`);
  chmodSync(join(folder, name), 0o755);
}

test("each thing that is missing is named with its remedy, all at once", () => {
  const empty = { PATH: temporaryFolder("promptpo-path"), PYENV_ROOT: "/nowhere", HOME: "/nowhere" };
  expect(() => requirePrerequisites(empty)).toThrow(
    expect.objectContaining({ exitCode: 7, remedy: expect.stringMatching(/npm is not on PATH[\s\S]*Python 3\.11/) }),
  );
});

test("another Python is passed over, a 3.11 under another name is found", () => {
  const path = temporaryFolder("promptpo-path");
  program(path, "python3.11", "3.12", "/opt/wrong");
  program(path, "python3", "3.11", "/opt/right/bin/python3.11");
  expect(findPython({ PATH: path, PYENV_ROOT: "/nowhere", HOME: "/nowhere" })).toBe("/opt/right/bin/python3.11");
});

test("pyenv's versions are looked through, the newest 3.11 first", () => {
  const root = temporaryFolder("promptpo-pyenv");
  for (const version of ["3.10.4", "3.11.2", "3.11.7"])
    program(join(root, "versions", version, "bin"), "python3.11", "3.11", `/pyenv/${version}`);
  expect(findPython({ PATH: "/nowhere", PYENV_ROOT: root })).toBe("/pyenv/3.11.7");
});

test("the npm that started us is taken, else the one on PATH", () => {
  const path = temporaryFolder("promptpo-path");
  program(path, "npm", "");
  writeFileSync(join(path, "npm-cli.js"), "");
  expect(findNpm({ PATH: "/nowhere", npm_execpath: join(path, "npm-cli.js") })).toEqual({
    script: join(path, "npm-cli.js"),
  });
  expect(findNpm({ PATH: path, npm_execpath: "/some/yarn.js" })).toEqual({ script: join(path, "npm-cli.js") });
});
