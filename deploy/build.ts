// Builds dist/, the tree that images run: what tsc emits, the files beside the sources that the code reads at run time
// (SQL, JSON, descriptor images, plain modules), and each package.json with its exports turned from .ts to .js.
// `node deploy/build.ts [FOLDER]`. Refuses to leave a package.json that still points at TypeScript.
import { spawnSync } from "node:child_process";
import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = resolve(process.argv[2] ?? join(root, "dist"));

// Sources become something else; tests, their data and type declarations have no use in an image.
const leftOut = /\/(node_modules|testing|golden)\/|\.m?ts$|\.test\.\w+$|\/package\.json$/;

/** `exports` of a workspace, for its compiled form. A key that names a .ts file keeps its name: imports use it. */
function builtExports(exports: Readonly<Record<string, string>>): Record<string, string> {
  const built: Record<string, string> = {};
  for (const [key, path] of Object.entries(exports)) {
    if (key.includes("*")) {
      built[`${key}.ts`] = `${path}.js`;
      built[key] = path;
    } else {
      built[key] = path.replace(/\.ts$/, ".js");
    }
  }
  return built;
}

function put(file: string, content: string): void {
  mkdirSync(dirname(join(target, file)), { recursive: true });
  writeFileSync(join(target, file), content);
}

rmSync(target, { recursive: true, force: true });
const tsc = join(root, "node_modules/.bin/tsc");
const compiled = spawnSync(
  process.execPath,
  [tsc, "-p", join(root, "deploy/tsconfig.build.json"), "--outDir", target],
  {
    stdio: "inherit",
  },
);
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

for (const entry of globSync("{packages,services}/*/**/*", { cwd: root, withFileTypes: true })) {
  const file = join(entry.parentPath, entry.name).slice(root.length + 1);
  if (!entry.isFile() || leftOut.test(file)) continue;
  mkdirSync(dirname(join(target, file)), { recursive: true });
  copyFileSync(join(root, file), join(target, file));
}

for (const file of globSync("{packages,services}/*/package.json", { cwd: root })) {
  const manifest: { exports?: Record<string, string> } = JSON.parse(readFileSync(join(root, file), "utf8"));
  const exports = builtExports(manifest.exports ?? {});
  const left = Object.values(exports).filter((path) => path.endsWith(".ts"));
  if (left.length > 0) throw new Error(`${file}: ${left.join(", ")} would be TypeScript in an image`);
  put(file, `${JSON.stringify({ ...manifest, exports }, null, 2)}\n`);
}
