/**
 * The tokens of a configuration: those of the file and those of the setting together.
 */
import { readFileSync } from "node:fs";
import { type BaseConfig, tokensShape } from "../config/base-config.ts";
import { ConfigError } from "../config/config-error.ts";
import { registerSecret } from "../logs/secrets.ts";
import type { Tokens } from "./authenticator.ts";

/** undefined: authentication is off. Throws ConfigError when the file can not be used. */
export function tokensOf(config: Pick<BaseConfig, "tokens" | "tokensFile">): Tokens | undefined {
  const fromFile = config.tokensFile === undefined ? undefined : readTokens(config.tokensFile);
  if (fromFile === undefined) return config.tokens;
  if (config.tokens === undefined) return fromFile;
  const all: Record<string, readonly string[]> = {};
  for (const source of [config.tokens, fromFile]) {
    for (const [tenant, tokens] of Object.entries(source)) all[tenant] = [...(all[tenant] ?? []), ...listOf(tokens)];
  }
  return all;
}

function readTokens(path: string): Tokens {
  const refuse = (why: string, next: string): never => {
    throw new ConfigError([{ setting: "PROMPTPO_TOKENS_FILE", where: `file ${path}`, why, next }]);
  };
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    return refuse(`the file can not be read (${code})`, "Name a file that exists and that this user may read.");
  }
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    // The parser's message quotes the text around the fault, which may be a token.
    return refuse("the file is not JSON", 'Write {"tenant": "token"}.');
  }
  const parsed = tokensShape.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return refuse(issue?.message ?? "the file has the wrong shape", 'Write {"tenant": "token"} or lists of tokens.');
  }
  for (const tokens of Object.values(parsed.data)) for (const token of listOf(tokens)) registerSecret(token);
  return parsed.data;
}

function listOf(tokens: string | readonly string[]): readonly string[] {
  return typeof tokens === "string" ? [tokens] : tokens;
}
