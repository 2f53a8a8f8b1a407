// YAML files of this folder as values. Read by PyYAML of the locked Python environment, which is what validates them too.
import { execFileSync } from "node:child_process";
import { python } from "../scripts/steps.ts";

export type Value = null | boolean | number | string | Value[] | { [key: string]: Value };

const READ =
  "import json, sys, yaml; json.dump(list(yaml.safe_load_all(open(sys.argv[1], encoding='utf-8'))), sys.stdout)";

/** The documents of a file, empty ones left out. */
export function readYaml(path: string): Value[] {
  const documents: Value[] = JSON.parse(execFileSync(python, ["-c", READ, path], { encoding: "utf8" }));
  return documents.filter((document) => document !== null);
}

/** The value at a path of keys and indices; undefined where there is none. */
export function at(value: Value | undefined, ...path: (string | number)[]): Value | undefined {
  let here = value;
  for (const step of path) {
    if (Array.isArray(here) && typeof step === "number") here = here[step];
    else if (typeof here === "object" && here !== null && !Array.isArray(here)) here = here[step];
    else return undefined;
  }
  return here;
}

/** The list at a path; empty where there is none. */
export function listAt(value: Value | undefined, ...path: (string | number)[]): Value[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}
