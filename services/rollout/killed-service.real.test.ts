// The service's own process is killed; whoever asks again with the same request_id loses nothing.
import { rollout } from "@promptpo/contracts";
import { freshDatabase, temporaryFolder } from "@promptpo/fleet/testing.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { collect, evaluation } from "./testing/rollout-under-test.ts";
import { end, startProcess } from "./testing/service-process.ts";
import { endsWithTest, seeds } from "./testing/with-fakes.ts";
import { isAlive, realSidecars, wanderer } from "./testing/with-sidecars.ts";

test("kill -9 of the service in mid-evaluation, then the same request_id: the same results, each stored once", async () => {
  const database = endsWithTest(await freshDatabase());
  const env = {
    DATABASE_URL: database.url,
    PROMPTPO_ARTIFACTS: temporaryFolder("promptpo-artifacts"),
    PROMPTPO_RESULT_CACHE: "off",
    // The second one starts later than this after the first one's death.
    PROMPTPO_EVALUATION_LEASE_MS: "200",
    ...realSidecars(1),
  };
  const request = evaluation({ environment: "NoiseWorld-1", policySource: wanderer, seeds: seeds(12) });

  const first = await startProcess(env);
  let seen = 0;
  const interrupted = (async () => {
    for await (const { part } of first.client.evaluatePolicy({ ...request, requestId: "run/r1/c00/evaluation/0" })) {
      if (part?.$case === "episode") seen += 1;
      if (seen === 2) first.child.kill("SIGKILL");
    }
  })();
  await expect(interrupted).rejects.toMatchObject({ reason: "ROLLOUT_UNAVAILABLE" });
  await first.exited;
  expect(seen).toBeLessThan(12);

  const second = await startProcess(env);
  const stored = await second.client.getEvaluation(
    rollout.GetEvaluationRequest.create({ requestId: "run/r1/c00/evaluation/0" }),
  );
  expect(stored.state).toBe(rollout.EvaluationState.EVALUATION_STATE_QUEUED);
  expect(stored.episodes.length).toBeGreaterThanOrEqual(seen);
  expect(stored.episodes.length).toBeLessThan(12);
  const resumed = await collect(second.client.evaluatePolicy({ ...request, requestId: "run/r1/c00/evaluation/0" }));
  expect(resumed.episodes.slice(0, stored.episodes.length)).toEqual(stored.episodes);
  expect(resumed).toEqual(await collect(second.client.evaluatePolicy(request)));
  // Standard input of the first one's sidecars ended with it.
  expect(first.sidecarPids.filter(isAlive)).toEqual([]);

  const connection = new pg.Client({ connectionString: database.url });
  await connection.connect();
  const { rows } = await connection.query(
    "select count(*)::int as all, count(distinct position)::int as different from episodes",
  );
  await connection.end();
  expect(rows).toEqual([{ all: 12, different: 12 }]);

  // A clean end: code 0, nothing left.
  expect(await end(second, "SIGTERM")).toBe(0);
  expect(second.sidecarPids.filter(isAlive)).toEqual([]);
});
