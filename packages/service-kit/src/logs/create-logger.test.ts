import { expect, test } from "vitest";
import { createLogger, silentLogger } from "./create-logger.ts";
import { registerSecret } from "./secrets.ts";

function logged(use: (log: ReturnType<typeof createLogger>) => void): string {
  let text = "";
  const write = (line: string): void => {
    text += line;
  };
  use(createLogger("gateway", "debug", { write }));
  return text;
}

test("a line is one JSON object with service, level and time", () => {
  const line: unknown = JSON.parse(logged((log) => log.child({ tenant: "alice" }).info({ n: 1 }, "hello")));
  expect(line).toMatchObject({ service: "gateway", level: "info", tenant: "alice", n: 1, msg: "hello" });
  expect(line).toHaveProperty("time");
});

test("an error shows its stack and its causes", () => {
  const text = logged((log) => log.error({ err: new Error("outer", { cause: new Error("inner") }) }, "failed"));
  expect(text).toContain("outer");
  expect(text).toContain("inner");
  expect(text).toContain("create-logger.test");
});

test("a registered secret is masked wherever it stands, also within an error or JSON in JSON", () => {
  const secret = 'p"ss\\word-123';
  registerSecret(secret);
  const text = logged((log) => {
    log.info({ deep: { list: [secret] } }, secret);
    log.info({ err: new Error(`refused ${secret}`) });
    log.info({ body: JSON.stringify({ value: secret }), url: `http://x/?q=${encodeURIComponent(secret)}` });
  });
  expect(text).not.toContain("word-123");
  for (const line of text.trim().split("\n")) expect(() => JSON.parse(line)).not.toThrow();
});

test.each([
  ["a header", { headers: { Authorization: "Bearer abc.def-ghi" } }, "abc.def-ghi"],
  ["a key by name", { apiKey: "zzz-1", "x-api-key": ["zzz-2"], password: "zzz-3" }, "zzz-"],
  ["a provider's key in text", { text: "key sk-proj-0123456789abcdef used" }, "0123456789abcdef"],
  ["a URL's password", { url: "postgres://u:p@ss:word@host/db" }, "p@ss:word"],
  ["a bearer in text", { text: "sent Bearer tok_0123456789" }, "tok_0123456789"],
  ["a private key", { text: "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----" }, "MHcCAQ"],
  [
    "JSON in JSON",
    { body: JSON.stringify({ serviceToken: "zzz-4", nested: JSON.stringify({ secret: "zzz-5" }) }) },
    "zzz-",
  ],
])("%s is masked without being known", (_, fields, shown) => {
  const text = logged((log) => log.info(fields));
  expect(text).not.toContain(shown);
  expect(text).toContain("[redacted]");
  expect(() => JSON.parse(text)).not.toThrow();
});

test("counts of tokens are numbers and stay", () => {
  expect(logged((log) => log.info({ prompt_tokens: 12, completionTokens: 34, maxTokens: "56" }))).toContain(
    '"prompt_tokens":12',
  );
  expect(logged((log) => log.info({ maxTokens: "56" }))).toContain("56");
});

test("a silent logger is silent", () => {
  expect(() => silentLogger().fatal("nothing")).not.toThrow();
});
