import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../packages/fleet/src/testing.ts";
import { differences } from "./npm.mjs";

interface Entry {
  version: string;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
}

/** A folder whose lock names `wanted` and whose installed tree is `found`. */
function folderOf(wanted: Record<string, Entry>, found: Record<string, Entry>): string {
  const folder = temporaryFolder("promptpo-npm");
  const paths = (entries: Record<string, Entry>) =>
    Object.fromEntries(Object.entries(entries).map(([name, entry]) => [`node_modules/${name}`, entry]));
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ packages: { "": {}, ...paths(wanted) } }));
  mkdirSync(join(folder, "node_modules"));
  for (const name of Object.keys(found)) mkdirSync(join(folder, "node_modules", name), { recursive: true });
  writeFileSync(join(folder, "node_modules", ".package-lock.json"), JSON.stringify({ packages: paths(found) }));
  return folder;
}

const elsewhere = { version: "1.0.0", optional: true, os: ["sunos"], cpu: [process.arch] };
const here = { version: "1.0.0", optional: true, os: [process.platform], cpu: [process.arch] };

test("the tree that the lock names has no differences; builds for other platforms are not asked for", () => {
  expect(differences(folderOf({ a: { version: "1.0.0" }, other: elsewhere }, { a: { version: "1.0.0" } }))).toEqual([]);
});

test.each([
  ["another version", { a: { version: "2.0.0" } }, { a: { version: "1.0.0" } }, "node_modules/a"],
  [
    "a missing package",
    { a: { version: "1.0.0" }, b: { version: "1.0.0" } },
    { a: { version: "1.0.0" } },
    "node_modules/b",
  ],
  ["a package too many", {}, { a: { version: "1.0.0" } }, "node_modules/a"],
  ["a missing build for this platform", { here }, {}, "node_modules/here"],
])("%s is a difference", (_what, wanted, found, name) => {
  expect(differences(folderOf(wanted, found))).toEqual([name]);
});

test("nothing installed is one difference", () => {
  const folder = temporaryFolder("promptpo-npm");
  writeFileSync(join(folder, "package-lock.json"), '{"packages": {}}');
  expect(differences(folder)).toEqual(["node_modules"]);
});
