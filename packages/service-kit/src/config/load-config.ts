/**
 * A service's configuration, read once at the door: environment over file over defaults, every problem named at once.
 *
 * The file (`PROMPTPO_CONFIG=path.json`) is one JSON object with the fields' own names (`listen`, `drainMs`) or their
 * environment names. It refuses unknown keys of the file (with the nearest known one); unknown environment variables are
 * other programs' business.
 */
import { readFileSync } from "node:fs";
import type { z } from "zod";
import { nearest } from "../errors/nearest.ts";
import { registerSecret } from "../logs/secrets.ts";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { settingInfo } from "./setting.ts";

export interface ConfigSources {
  /** Usually `process.env`. An empty value counts as unset. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Path of the JSON file; default `env.PROMPTPO_CONFIG`; neither set: no file. */
  readonly file?: string | undefined;
}

/** The parsed configuration. Throws `ConfigError`. Secret values are kept out of all logs from here on. */
export function loadConfig<S extends z.ZodObject>(schema: S, sources: ConfigSources): z.output<S> {
  const path = sources.file ?? text(sources.env["PROMPTPO_CONFIG"]);
  const file = path === undefined ? {} : readFile(path);
  const problems: ConfigProblem[] = [];
  const input: Record<string, unknown> = {};
  const origin = new Map<string, string>();
  const keys = new Set<string>();

  for (const [field, fieldSchema] of Object.entries(schema.shape)) {
    const info = settingInfo(fieldSchema);
    keys.add(field);
    if (info !== undefined) keys.add(info.env);
    const fromEnv = info === undefined ? undefined : text(sources.env[info.env]);
    const fileKey = Object.hasOwn(file, field)
      ? field
      : info !== undefined && Object.hasOwn(file, info.env)
        ? info.env
        : undefined;
    if (fromEnv !== undefined) {
      input[field] = fromEnv;
      origin.set(field, "environment");
    } else if (fileKey !== undefined) {
      input[field] = file[fileKey];
      origin.set(field, `file ${path}, key ${fileKey}`);
    }
    if (info?.secret === true) registerSecretsIn(input[field]);
  }
  for (const key of Object.keys(file)) {
    if (keys.has(key)) continue;
    const [near] = nearest(key, [...keys], 1);
    problems.push({
      setting: key,
      where: `file ${path}`,
      why: "no setting has this name",
      next: near === undefined ? "Remove it." : `Did you mean ${near}?`,
    });
  }

  const parsed = schema.safeParse(input);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const field = String(issue.path[0] ?? "");
      const fieldSchema = schema.shape[field];
      const info = fieldSchema === undefined ? undefined : settingInfo(fieldSchema);
      const missing = !origin.has(field);
      problems.push({
        setting: info?.env ?? field,
        where: origin.get(field) ?? "not set",
        why: missing ? "it is needed" : `${inner(issue.path)}${explain(issue)}`,
        next: info === undefined ? "Correct it." : `It is the ${info.about.replace(/\.$/, "")}.`,
      });
    }
  }
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems);
  return parsed.data;
}

function text(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === "" ? undefined : value;
}

function readFile(path: string): Record<string, unknown> {
  const refuse = (why: string, next: string): never => {
    throw new ConfigError([{ setting: "PROMPTPO_CONFIG", where: `file ${path}`, why, next }]);
  };
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    return refuse(`the file can not be read (${code})`, "Name a file that exists and that this user may read.");
  }
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return Object.fromEntries(Object.entries(value));
  } catch {
    // The parser's message quotes the text around the fault, which may be a secret.
    return refuse("the file is not JSON", "Check it with: node -e 'JSON.parse(fs.readFileSync(process.argv[1]))' FILE");
  }
  return refuse("the file does not hold one JSON object", 'Write {"listen": "127.0.0.1:0"} and the like.');
}

/** Every text within a secret setting is a secret of its own, and so is a URL's password. */
function registerSecretsIn(value: unknown): void {
  if (typeof value === "string") {
    registerSecret(value);
    const password = /^[a-z][a-z0-9+.-]*:\/\/[^:@/]*:([^@/]+)@/i.exec(value)?.[1];
    if (password !== undefined) {
      registerSecret(password);
      try {
        registerSecret(decodeURIComponent(password));
      } catch {
        // Not percent-encoded after all; the raw form is registered.
      }
    }
    if (/^\s*[[{]/.test(value)) {
      try {
        registerSecretsIn(JSON.parse(value));
      } catch {
        // Not JSON: the whole text is registered already.
      }
    }
  } else if (typeof value === "object" && value !== null) {
    for (const part of Object.values(value)) registerSecretsIn(part);
  }
}

function inner(path: readonly PropertyKey[]): string {
  return path.length > 1 ? `${path.slice(1).map(String).join(".")}: ` : "";
}

/** zod's message, or the first of a union's branches. */
function explain(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_union" && issue.message === "Invalid input") {
    const first = issue.errors.flat()[0];
    if (first !== undefined) return explain(first);
  }
  return issue.message;
}
