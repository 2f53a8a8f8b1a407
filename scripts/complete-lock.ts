// Completes package-lock.json: npm leaves an optional package out of the lock when the registry at hand does not serve it
// (a build for another platform), and `npm ci` then refuses the lock everywhere. Adds those entries, version and platform
// only; touches nothing else. `--check` only says whether some are missing.
import "./pinned.ts";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./steps.ts";

interface Entry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

interface Lock {
  packages: Record<string, Entry>;
}

/** The entries to add, by their path in the lock. */
export function missingEntries(lock: Lock): Record<string, Entry> {
  const missing: Record<string, Entry> = {};
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (reachable(lock, path, name)) continue;
      missing[`node_modules/${name}`] = {
        version,
        ...(entry.dev === true ? { dev: true } : {}),
        optional: true,
        ...platformOf(name),
      };
    }
  }
  return missing;
}

/** Node's rule: the package's own node_modules, then each one above. */
function reachable(lock: Lock, from: string, name: string): boolean {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const prefix = folder === "" ? "" : `${folder}/`;
    if (lock.packages[`${prefix}node_modules/${name}`] !== undefined) return true;
    if (folder === "") return false;
  }
}

/** Builds for one platform say so in their names; a package that does not is installed anywhere. */
function platformOf(name: string): Pick<Entry, "os" | "cpu" | "libc"> {
  const os = /\b(android|darwin|freebsd|linux|openharmony|win32)\b/.exec(name)?.[1];
  const cpu = /\b(x64|ia32|arm64|aarch64|armv7|arm|ppc64|s390x|riscv64|wasm32)\b/.exec(name)?.[1];
  const libc = /\b(musl|gnu)/.exec(name)?.[1];
  const cpuOfNpm: Record<string, string> = { aarch64: "arm64", armv7: "arm" };
  return {
    ...(cpu === undefined ? {} : { cpu: [cpuOfNpm[cpu] ?? cpu] }),
    ...(libc === undefined ? {} : { libc: [libc === "gnu" ? "glibc" : libc] }),
    ...(os === undefined ? {} : { os: [os] }),
  };
}

if (import.meta.main) {
  const file = join(root, "package-lock.json");
  const lock = JSON.parse(readFileSync(file, "utf8")) as Lock;
  const missing = missingEntries(lock);
  const names = Object.keys(missing).map((path) => path.slice("node_modules/".length));
  if (process.argv.includes("--check")) {
    if (names.length > 0) {
      console.error(`package-lock.json lacks ${names.join(", ")}: \`npm ci\` would refuse it\nrun: npm run lock`);
      process.exitCode = 1;
    }
  } else if (names.length > 0) {
    const sorted = Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) => (a < b ? -1 : 1));
    writeFileSync(`${file}.draft`, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
    renameSync(`${file}.draft`, file);
    console.log(`added ${names.join(", ")}`);
  }
}
