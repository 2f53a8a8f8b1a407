// Versions of the packages that a bench compares, as the environments have them.
import { execFileSync } from "node:child_process";
import { z } from "zod";

/** Packages that are not there are left out. */
export function versionsIn(python: string, packages: readonly string[]): Record<string, string> {
  const probe = `import importlib.metadata as m, json, sys
found = {d.metadata["Name"].lower(): d.version for d in m.distributions()}
print(json.dumps({name: found[name] for name in sys.argv[1:] if name in found}))`;
  const output = execFileSync(python, ["-I", "-c", probe, ...packages], { encoding: "utf8" });
  return z.record(z.string(), z.string()).parse(JSON.parse(output));
}
