// TLS and half configurations, on a real server.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { getRun, TestServices } from "../testing/test-services.ts";

const tls = (name: string): string => fileURLToPath(new URL(`../testing/tls/${name}.pem`, import.meta.url));

const services = new TestServices();
afterEach(() => services.end());

describe("TLS", () => {
  const server = { PROMPTPO_TLS_CERT: tls("server"), PROMPTPO_TLS_KEY: tls("server-key") };

  test("a client that trusts the authority is served, one in plain text or without trust is not", async () => {
    const { runs } = await services.start(server);
    expect((await runs({ tls: { ca: tls("ca") } }).getRun(getRun("echo x"))).run?.id).toBe("x");
    const named = { tls: { ca: readFileSync(tls("ca")), serverName: "promptpo.test" } };
    expect((await runs(named).getRun(getRun("echo x"))).run?.id).toBe("x");
    for (const options of [{}, { tls: {} }, { tls: { ca: tls("ca"), serverName: "elsewhere.test" } }]) {
      await expect(runs(options).getRun(getRun("echo x"))).rejects.toMatchObject({ reason: "OPTIMIZER_UNAVAILABLE" });
    }
  });

  test("where client certificates are required, only those of the authority pass", async () => {
    const { runs } = await services.start({
      ...server,
      PROMPTPO_TLS_CA: tls("ca"),
      PROMPTPO_TLS_CLIENT_AUTH: "require",
    });
    const own = { cert: tls("client"), key: tls("client-key") };
    expect((await runs({ tls: { ca: tls("ca"), ...own } }).getRun(getRun("echo x"))).run?.id).toBe("x");
    await expect(runs({ tls: { ca: tls("ca") } }).getRun(getRun("echo x"))).rejects.toMatchObject({
      reason: "OPTIMIZER_UNAVAILABLE",
    });
  });

  test.each([
    [{ PROMPTPO_TLS_KEY: tls("server-key") }, "PROMPTPO_TLS_CERT"],
    [{ PROMPTPO_TLS_CERT: tls("server") }, "PROMPTPO_TLS_KEY"],
    [
      { PROMPTPO_TLS_CERT: "/nowhere.pem", PROMPTPO_TLS_KEY: tls("server-key") },
      "PROMPTPO_TLS_CERT (file /nowhere.pem)",
    ],
    [{ PROMPTPO_TLS_CLIENT_AUTH: "require" }, "PROMPTPO_TLS_CERT"],
    [{ ...server, PROMPTPO_TLS_CLIENT_AUTH: "require" }, "PROMPTPO_TLS_CA"],
    [{ PROMPTPO_TOKENS_FILE: "/nowhere.json" }, "PROMPTPO_TOKENS_FILE (file /nowhere.json)"],
  ])("half a configuration is refused: %o", async (env, named) => {
    await expect(services.start(env)).rejects.toThrow(named);
  });
});
