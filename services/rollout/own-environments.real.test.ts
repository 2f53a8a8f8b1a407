// Environments of others on a real sidecar: gymnasium's by id, a folder's with its own code, edited while it is in use.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rollout } from "@promptpo/contracts";
import { freshDatabase, temporaryFolder } from "@promptpo/fleet/testing.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, evaluation, failureOf, type RolloutUnderTest, startRollout } from "./testing/rollout-under-test.ts";
import { realSidecars } from "./testing/with-sidecars.ts";

const examples = fileURLToPath(new URL("../../examples/environments/", import.meta.url));
const bangBang = readFileSync(join(examples, "bang_bang.py"), "utf8");
const cartPole = readFileSync(join(examples, "cart_pole.py"), "utf8");
const folder = temporaryFolder("promptpo-environments");
const docking = join(folder, "docking");

let database: Awaited<ReturnType<typeof freshDatabase>>;
let service: RolloutUnderTest;
beforeAll(async () => {
  cpSync(join(examples, "docking"), docking, { recursive: true });
  mkdirSync(join(folder, "broken"));
  writeFileSync(join(folder, "broken", "environment.toml"), 'id = "broken"\nentry_point = "a:b"\nhorizon = "long"\n');
  database = await freshDatabase();
  service = await startRollout({
    DATABASE_URL: database.url,
    ...realSidecars(1),
    PROMPTPO_ENVIRONMENTS: folder,
  });
});
afterAll(async () => {
  await service.stop();
  await database.drop();
});

const evaluate = (environment: string, policySource: string) =>
  collect(service.client.evaluatePolicy(evaluation({ environment, policySource, seeds: [0n, 1n, 2n] })));

test("any installed gymnasium id is described and evaluated without configuration", async () => {
  const request = rollout.GetEnvironmentRequest.fromPartial({ environment: "gym:CartPole-v1" });
  const { environment } = await service.client.getEnvironment(request);
  expect(environment).toMatchObject({ family: "yours", policyClass: "CartPolePolicy", horizon: 500n });
  expect(environment?.texts?.implementation).toContain("one integer from 0 to 1");
  const { episodes, summary } = await evaluate("gym:CartPole-v1", cartPole);
  expect(episodes.map(({ returnValue, truncated }) => [returnValue, truncated])).toEqual([
    [500, true],
    [500, true],
    [500, true],
  ]);
  expect(summary.confined).toBe(true);
});

test("a folder is listed and evaluated, and an edit of it never gets a result of before", async () => {
  const list = await service.client.listEnvironments(rollout.ListEnvironmentsRequest.fromPartial({ family: "yours" }));
  expect(list.environments.map(({ id }) => id)).toEqual(["docking"]);
  const first = await evaluate("docking", bangBang);
  expect(first.summary).toMatchObject({ successRate: 1, cached: false });
  expect((await evaluate("docking", bangBang)).summary.cached).toBe(true);

  const file = join(docking, "docking.py");
  const code = readFileSync(file, "utf8");
  writeFileSync(file, code.replace("0.01 * asked**2", "0.02 * asked**2"));
  const edited = await evaluate("docking", bangBang);
  expect(edited.summary.cached).toBe(false);
  expect(edited.summary.meanReturn).toBeLessThan(first.summary.meanReturn);

  writeFileSync(file, code);
  expect(await evaluate("docking", bangBang)).toEqual({ ...first, summary: { ...first.summary, cached: true } });
});

test("a folder that is broken says which file and key, and harms nobody", async () => {
  const error = await failureOf(evaluate("broken", bangBang));
  expect(error.reason).toBe("INVALID_ARGUMENT");
  expect(error.message).toContain(join(folder, "broken", "environment.toml"));
  expect(error.message).toContain("horizon: expected a whole number from 1 to 10000000, got 'long'");
});
