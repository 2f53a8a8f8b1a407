// Environments of others through the whole service, on a real database and fake sidecars: who is asked when, and that no
// result is told under another revision than its own.
import { rollout, sim } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import { describe, expect, test } from "vitest";
import type { FakeBehaviour } from "./testing/fake-sidecar.ts";
import { collect, failureOf } from "./testing/rollout-under-test.ts";
import { fake, seeds, start } from "./testing/with-fakes.ts";

/** Knows `gym:Known-v0` and the folder environment `mine`, each with a revision that the test chooses. */
function sidecarOf(revision: { now: string }): FakeBehaviour & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    async describe({ environment, variant }) {
      asked.push(environment);
      if (environment === "broken") {
        const violations = [{ field: "environment", description: "horizon: expected a whole number" }];
        throw new FleetError("INVALID_ARGUMENT", "broken/environment.toml: horizon: expected a number", { violations });
      }
      if (environment !== "gym:Known-v0" && environment !== "mine") {
        const nearest = environment.startsWith("gym:") ? "gym:Known-v0" : "";
        throw new FleetError("UNKNOWN_ENVIRONMENT", `no environment is called ${environment}`, {
          metadata: { nearest },
        });
      }
      return sim.DescribeEnvironmentResponse.fromPartial({
        environment: {
          id: environment,
          family: "yours",
          variant: variant === "" ? "default" : variant,
          horizon: 10n,
          revision: revision.now,
          texts: { observation: `what is seen at ${revision.now}` },
        },
      });
    },
    async before(_seed, request) {
      const [, pinned] = request.environment.split("@");
      if (pinned !== undefined && pinned !== revision.now) {
        throw new FleetError("CONFLICT", `${request.environment} was changed meanwhile; ask again`);
      }
    },
  };
}

const get = (environment: string) => rollout.GetEnvironmentRequest.fromPartial({ environment });

describe("an environment that the handshake does not list", () => {
  test("is asked for, and run at the revision that was told", async () => {
    const sidecar = sidecarOf({ now: "known==1" });
    const { client, sidecars } = await start([sidecar]);
    const { environment } = await client.getEnvironment(get("gym:Known-v0"));
    expect(environment).toMatchObject({ id: "gym:Known-v0", variant: "default", revision: "known==1" });
    const { episodes } = await collect(client.evaluatePolicy(fake({ environment: "gym:Known-v0" })));
    expect(episodes).toHaveLength(5);
    expect(sidecars[0]?.blocks[0]?.environment).toBe("gym:Known-v0@known==1");
    // An installed package is asked about once.
    expect(sidecar.asked).toEqual(["gym:Known-v0"]);
    const list = await client.listEnvironments(rollout.ListEnvironmentsRequest.create());
    expect(list.environments.map(({ id }) => id)).toEqual(["Fake-v0"]);
  });

  test("and does not exist is answered with what looks like it, and one that is broken with the reason", async () => {
    const { client } = await start([sidecarOf({ now: "1" })]);
    expect(await failureOf(client.getEnvironment(get("gym:Know-v0")))).toMatchObject({
      reason: "UNKNOWN_ENVIRONMENT",
      metadata: { nearest: "gym:Known-v0" },
    });
    expect(await failureOf(client.getEnvironment(get("fake-v1")))).toMatchObject({
      reason: "UNKNOWN_ENVIRONMENT",
      metadata: { nearest: "Fake-v0" },
    });
    const broken = await failureOf(collect(client.evaluatePolicy(fake({ environment: "broken" }))));
    expect(broken).toMatchObject({ reason: "INVALID_ARGUMENT" });
    expect(broken.message).toContain("broken/environment.toml: horizon: expected a number");
  });
});

describe("an environment in a folder", () => {
  test("that was edited gets no result of its former self, and its former self gets them again", async () => {
    const revision = { now: "sha256:1" };
    const { client, sidecars } = await start([sidecarOf(revision)]);
    const request = fake({ environment: "mine", seeds: seeds(3) });
    const cached = async () => (await collect(client.evaluatePolicy(request))).summary.cached;
    expect([await cached(), await cached()]).toEqual([false, true]);
    revision.now = "sha256:2";
    expect([await cached(), await cached()]).toEqual([false, true]);
    revision.now = "sha256:1";
    expect(await cached()).toBe(true);
    expect(sidecars[0]?.answered).toHaveLength(6);
  });

  test("that is edited while it is evaluated ends the call with CONFLICT, and asked again it starts over", async () => {
    const revision = { now: "sha256:1" };
    const sidecar = sidecarOf(revision);
    const edited: FakeBehaviour = {
      ...sidecar,
      async before(seed, request, signal) {
        if (seed === 2n && request.environment === "mine@sha256:1") revision.now = "sha256:2";
        await sidecar.before?.(seed, request, signal);
      },
    };
    const { client, sidecars } = await start([edited]);
    const request = fake({ environment: "mine", requestId: "run/r1/c00/evaluation/0" });
    expect(await failureOf(collect(client.evaluatePolicy(request)))).toMatchObject({
      reason: "CONFLICT",
      retryable: true,
    });
    // What is stored of the former revision is shown before it is known to be of no use any more: once more CONFLICT.
    const retried = async () => {
      for (;;) {
        try {
          return await collect(client.evaluatePolicy(request));
        } catch (error) {
          if (!(error instanceof FleetError) || error.reason !== "CONFLICT") throw error;
        }
      }
    };
    expect((await retried()).episodes.map(({ seed }) => seed)).toEqual(seeds(5));
    // Nothing of the first attempt was taken over.
    expect(sidecars[0]?.answered).toEqual([0n, 1n, ...seeds(5)]);
  });

  test("of an installed package that was replaced is looked up anew after a CONFLICT", async () => {
    const revision = { now: "known==1" };
    const { client } = await start([sidecarOf(revision)]);
    const request = fake({ environment: "gym:Known-v0" });
    await collect(client.evaluatePolicy(request));
    revision.now = "known==2";
    const other = fake({ environment: "gym:Known-v0", seeds: [9n] });
    expect((await failureOf(collect(client.evaluatePolicy(other)))).reason).toBe("CONFLICT");
    expect((await collect(client.evaluatePolicy(other))).episodes).toHaveLength(1);
  });
});

test("another sidecar is asked when one dies over the question", async () => {
  const well = sidecarOf({ now: "1" });
  let deaths = 0;
  const { client } = await start([
    {
      ...well,
      async describe(request, context) {
        deaths += 1;
        if (deaths === 1) throw new FleetError("SIDECAR_DIED", "its worker died");
        return (well.describe as NonNullable<FakeBehaviour["describe"]>)(request, context);
      },
    },
  ]);
  expect((await client.getEnvironment(get("mine"))).environment?.revision).toBe("1");
  expect(deaths).toBe(2);
});
