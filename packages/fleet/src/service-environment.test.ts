import { expect, test } from "vitest";
import { SERVICES } from "./fleet-state.ts";
import { serviceEnvironment } from "./service-environment.ts";

const users = {
  PATH: "/bin",
  OPENAI_API_KEY: "sk-secret-of-the-user",
  OPENAI_BASE_URL: "http://127.0.0.1:1/v1",
  PROMPTPO_GATEWAY_DATABASE_URL: "postgres://u:secret@h/g",
  PROMPTPO_ROLLOUT_DATABASE_URL: "postgres://u:secret@h/r",
  DATABASE_URL: "postgres://u:secret@h/x",
  AWS_SECRET_ACCESS_KEY: "secret",
  GITHUB_TOKEN: "secret",
  PROMPTPO_LOG_LEVEL: "debug",
  PROMPTPO_LISTEN: "0.0.0.0:1",
  MUJOCO_GL: "egl",
};

test("a provider's key reaches the gateway and nobody else", () => {
  expect(serviceEnvironment("gateway", users, {})["OPENAI_API_KEY"]).toBe("sk-secret-of-the-user");
  for (const service of ["rollout", "optimizer"] as const)
    expect(JSON.stringify(serviceEnvironment(service, users, {}))).not.toContain("sk-secret");
});

test("no service is told another's database, nor anything secret that is not its own", () => {
  for (const service of SERVICES) {
    const env = serviceEnvironment(service, users, { DATABASE_URL: `postgres://own/${service}` });
    expect(env["DATABASE_URL"]).toBe(`postgres://own/${service}`);
    expect(JSON.stringify(env)).not.toMatch(/u:secret|AWS|GITHUB/);
  }
});

test("what the fleet decides wins, and its users' settings pass", () => {
  const env = serviceEnvironment("rollout", users, { PROMPTPO_LISTEN: "127.0.0.1:2" });
  expect(env).toMatchObject({ PROMPTPO_LISTEN: "127.0.0.1:2", PROMPTPO_LOG_LEVEL: "debug", MUJOCO_GL: "egl" });
  expect(serviceEnvironment("optimizer", users, {})["PROMPTPO_LISTEN"]).toBeUndefined();
});
