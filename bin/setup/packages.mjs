// The npm packages of the workspace, exactly as locked, resolved under the pinned Node.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { differences, npmCi } from "./npm.mjs";
import { root, stamps } from "./paths.mjs";
import { pinnedNode } from "./pinned-node.mjs";

/** @type {import("./step.mjs").Step} */
export const packagesStep = {
  name: "packages",
  title: "npm packages of the workspace (about 300)",
  inputs: () => [
    join(root, "package.json"),
    join(root, "package-lock.json"),
    ...["packages", "services"].flatMap((folder) =>
      readdirSync(join(root, folder))
        .sort()
        .map((name) => join(root, folder, name, "package.json")),
    ),
  ],
  present: () => existsSync(join(root, "node_modules", ".package-lock.json")),
  intact: () => differences(root).length === 0,
  async run() {
    await npmCi({ folder: root, node: pinnedNode() ?? process.execPath, log: join(stamps, "packages.log") });
  },
};
