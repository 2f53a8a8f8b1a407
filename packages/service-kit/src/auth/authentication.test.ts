// Who may call, seen from outside, on a real server.
import { optimizer } from "@promptpo/contracts";
import { afterEach, describe, expect, test } from "vitest";
import { callOptionsOf } from "../rpc/call-context.ts";
import { implement } from "../rpc/implement.ts";
import { healthOf, reflectedServices } from "../testing/probes.ts";
import { getRun, TestServices } from "../testing/test-services.ts";

const ALICE = "alice-0123456789abcdef";
const BOB = "bob-0123456789abcdef";
const SERVICE = "service-0123456789abcdef";

const services = new TestServices();
afterEach(() => services.end());

describe("with tokens configured", () => {
  const env = { PROMPTPO_TOKENS: JSON.stringify({ alice: ALICE, bob: ["old-bob-0123456789", BOB], "*": SERVICE }) };

  test.each([
    ["no token", {}, "carries no bearer token"],
    ["a token of nobody", { token: "guess-0123456789abcdef" }, "not one of this service's"],
  ])("%s is refused before the handler", async (_, options, why) => {
    const { runs, witness, lines } = await services.start(env);
    await expect(runs(options).getRun(getRun("echo x"))).rejects.toMatchObject({
      reason: "UNAUTHENTICATED",
      message: expect.stringContaining(why),
      requestId: expect.stringMatching(/.+/),
    });
    expect(witness.contexts).toEqual([]);
    expect(lines.join()).not.toContain("guess-");
  });

  test("the token tells the tenant, old and new ones alike", async () => {
    const { runs, witness } = await services.start(env);
    for (const token of [ALICE, BOB, "old-bob-0123456789"]) await runs({ token }).getRun(getRun("echo x"));
    expect(witness.contexts.map(({ tenant }) => tenant)).toEqual(["alice", "bob", "bob"]);
  });

  test("only a service may act for another tenant", async () => {
    const { runs, witness } = await services.start(env);
    await runs({ token: SERVICE }).getRun(getRun("echo x"), { tenant: "carol" });
    await runs({ token: SERVICE }).getRun(getRun("echo x"));
    await runs({ token: ALICE }).getRun(getRun("echo x"), { tenant: "alice" });
    expect(witness.contexts.map(({ tenant }) => tenant)).toEqual(["carol", "default", "alice"]);
    await expect(runs({ token: ALICE }).getRun(getRun("echo x"), { tenant: "bob" })).rejects.toMatchObject({
      reason: "PERMISSION_DENIED",
    });
    await expect(runs({ token: SERVICE }).getRun(getRun("echo x"), { tenant: "No Such" })).rejects.toMatchObject({
      reason: "INVALID_ARGUMENT",
    });
  });

  test("health and reflection stay open", async () => {
    const { service } = await services.start(env);
    expect(await healthOf(services.raw(service.address), "")).toBe("SERVING");
    expect(await reflectedServices(services.raw(service.address))).toContain("promptpo.optimizer.v1.Optimizer");
  });
});

test("without tokens everybody is the default tenant, whatever is claimed", async () => {
  const { runs, witness } = await services.start();
  await runs({ token: ALICE }).getRun(getRun("echo x"), { tenant: "alice" });
  expect(witness.contexts.map(({ tenant }) => tenant)).toEqual(["default"]);
});

test("a handler that calls on passes deadline, cancellation, tenant and request id", async () => {
  const far = await services.start({ PROMPTPO_TOKENS: JSON.stringify({ "*": SERVICE }) });
  const next = far.runs({ token: SERVICE });
  const near = await services.start(
    { PROMPTPO_TOKENS: JSON.stringify({ alice: ALICE }) },
    {
      services: [
        implement(optimizer.OptimizerService, {
          getRun: (message, context) => next.getRun(message, callOptionsOf(context)),
        }),
      ],
    },
  );
  const call = { requestId: "r-1", timeoutMs: 60_000 };
  await near.runs({ token: ALICE }).getRun(getRun("echo x"), call);
  const [context] = far.witness.contexts;
  expect(context).toMatchObject({ tenant: "alice", requestId: "r-1" });
  expect(context?.deadlineMs).toBeLessThan(Date.now() + 60_001);

  const stop = new AbortController();
  const failed = near.runs({ token: ALICE }).getRun(getRun("wait"), { signal: stop.signal });
  await far.witness.until(() => far.witness.contexts.length === 2);
  stop.abort();
  await expect(failed).rejects.toMatchObject({ reason: "CANCELLED" });
  await far.witness.until(() => far.witness.aborts.length === 1);

  const error = await near
    .runs({ token: ALICE })
    .getRun(getRun("fail"))
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ reason: "UNKNOWN_RUN", metadata: { nearest: "r-1" } });
});
