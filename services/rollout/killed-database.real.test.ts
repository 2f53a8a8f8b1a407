// The database's server is killed in mid-evaluation.
import { privatePostgres, temporaryFolder } from "@promptpo/fleet/testing.ts";
import { expect, test } from "vitest";
import { type FakeBehaviour, fakeEpisode, startFakeSidecar } from "./testing/fake-sidecar.ts";
import { collect, startRollout } from "./testing/rollout-under-test.ts";
import { endsWithTest, fake, seeds } from "./testing/with-fakes.ts";

test("kill -9 of Postgres costs the caller nothing but time", async () => {
  const postgres = endsWithTest(await privatePostgres());
  await postgres.createDatabase("rollout");
  const before: FakeBehaviour["before"] = async (seed) => {
    if (seed === 2n && postgres.pid !== undefined) process.kill(postgres.pid, "SIGKILL");
  };
  const sidecar = endsWithTest(await startFakeSidecar({ before, horizon: 1_000 }));
  const service = endsWithTest(
    await startRollout({
      DATABASE_URL: postgres.url("rollout"),
      PROMPTPO_SIDECAR_TARGETS: sidecar.address,
      PROMPTPO_ARTIFACTS: temporaryFolder("promptpo-artifacts"),
    }),
  );
  const { episodes } = await collect(service.client.evaluatePolicy(fake({ requestId: "r" })));
  expect(episodes).toEqual(seeds(5).map(fakeEpisode));
  expect(sidecar.answered).toEqual(seeds(5));
});
