import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { withoutSecrets } from "../logs/secrets.ts";
import { baseConfig } from "./base-config.ts";
import { ConfigError } from "./config-error.ts";
import { loadConfig } from "./load-config.ts";
import { flag, integer, json, list, setting } from "./setting.ts";

const folder = mkdtempSync(join(tmpdir(), "promptpo-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
function file(content: unknown): string {
  const path = join(folder, `${files++}.json`);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

const schema = z.object({
  ...baseConfig,
  databaseUrl: setting(z.string(), { env: "DATABASE_URL", secret: true, about: "URL of the service's database" }),
  sidecars: setting(integer({ min: 1, max: 64 }).default(2), { env: "PROMPTPO_SIDECARS", about: "number of sidecars" }),
  targets: setting(list().default([]), { env: "PROMPTPO_TARGETS", about: "host:port of each sidecar" }),
  replay: setting(flag().default(false), { env: "PROMPTPO_REPLAY", about: "whether answers are replayed" }),
  models: setting(json(z.record(z.string(), z.number())).optional(), { env: "PROMPTPO_MODELS", about: "prices" }),
});

const URL_WITH_PASSWORD = "postgres://user:correct-horse-battery@127.0.0.1/x";
const needed = { DATABASE_URL: URL_WITH_PASSWORD };

function problems(env: Readonly<Record<string, string>>, path?: string): ConfigError {
  try {
    loadConfig(schema, { env: { ...needed, ...env }, ...(path === undefined ? {} : { file: path }) });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("the configuration was accepted");
}

test("defaults, environment over file, values in their types", () => {
  const path = file({
    listen: "127.0.0.1:7000",
    sidecars: 5,
    targets: ["a:1"],
    PROMPTPO_LOG_LEVEL: "warn",
    models: { m: 1 },
  });
  const env = { ...needed, PROMPTPO_CONFIG: path, PROMPTPO_SIDECARS: "7", PROMPTPO_REPLAY: "1", UNRELATED: "x" };
  expect(loadConfig(schema, { env })).toMatchObject({
    listen: "127.0.0.1:7000",
    metricsListen: "127.0.0.1:0",
    sidecars: 7,
    targets: ["a:1"],
    replay: true,
    logLevel: "warn",
    models: { m: 1 },
    drainMs: 10_000,
  });
  const lists = loadConfig(schema, { env: { ...needed, PROMPTPO_TARGETS: " a:1, b:2 ,", PROMPTPO_SIDECARS: " " } });
  expect(lists).toMatchObject({ targets: ["a:1", "b:2"], sidecars: 2 });
});

test("every problem is told at once, each with its place and what to do", () => {
  const error = problems({ PROMPTPO_LISTEN: "here", PROMPTPO_SIDECARS: "12x", PROMPTPO_REPLAY: "yes" });
  expect(error.problems.map(({ setting: name, where }) => [name, where])).toEqual([
    ["PROMPTPO_LISTEN", "environment"],
    ["PROMPTPO_SIDECARS", "environment"],
    ["PROMPTPO_REPLAY", "environment"],
  ]);
  expect(error.message).toContain("must be a whole number from 1 to 64. It is the number of sidecars.");
});

test("a setting that is needed and missing is named", () => {
  expect(() => loadConfig(schema, { env: {} })).toThrow(/DATABASE_URL \(not set\): it is needed/);
});

test("a mistyped key of the file gets the nearest name", () => {
  const path = file({ sidecar: 3 });
  expect(problems({}, path).problems).toEqual([
    { setting: "sidecar", where: `file ${path}`, why: "no setting has this name", next: "Did you mean sidecars?" },
  ]);
});

test.each([
  ["{", "not JSON"],
  ["[]", "one JSON object"],
  ['{"tokens": {"alice": 5}}', "PROMPTPO_TOKENS"],
])("a file that holds %s is refused: %s", (content, why) => {
  expect(problems({}, file(content)).message).toContain(why);
});

test("a file that is not there is named", () => {
  expect(problems({}, join(folder, "nowhere.json")).message).toContain("ENOENT");
});

describe("secrets", () => {
  test("of any shape are out of logs once loaded, and a problem never shows one", () => {
    const tokens = JSON.stringify({ alice: "alice-long-secret-token", bob: ["bob-long-secret-token"] });
    loadConfig(schema, { env: { ...needed, PROMPTPO_TOKENS: tokens } });
    const line = withoutSecrets("x alice-long-secret-token y bob-long-secret-token z correct-horse-battery");
    expect(line).toBe("x [redacted] y [redacted] z [redacted]");

    const bad = problems({
      PROMPTPO_TOKENS: '{"Alice!": "very-secret-token-1"}',
      PROMPTPO_SERVICE_TOKEN: "short-secret",
    });
    expect(bad.message).toContain("PROMPTPO_SERVICE_TOKEN");
    expect(bad.message).toContain("PROMPTPO_TOKENS");
    expect(bad.message).not.toContain("secret-token-1");
    expect(bad.message).not.toContain("short-secret");
  });

  test("a broken file's text is not shown", () => {
    expect(problems({}, file('{"serviceToken": "very-secret-token-2"')).message).not.toContain("very-secret");
  });
});
