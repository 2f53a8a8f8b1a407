import { fileURLToPath } from "node:url";
import { FleetError } from "@promptpo/service-kit";
import { afterEach, describe, expect, test } from "vitest";
import { connect, hasEnded, llm, optimizer, type WatchOptions } from "./index.ts";
import { SmallFleet } from "./testing/small-fleet.ts";

const { RunState } = optimizer;
const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of stack.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function start(env: Readonly<Record<string, string>> = {}) {
  const servers = await new SmallFleet(env).start();
  const { address } = servers;
  const fleet = connect({ gateway: address, rollout: address, optimizer: address }, {});
  stack.push(servers, fleet);
  return { servers, fleet };
}

const away = () => new FleetError("SHUTTING_DOWN", "the service is shutting down");
const source = "class NoiseWorldPolicy: ...";

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe("a run", () => {
  test("is made once, although its first answer was lost", async () => {
    const { servers, fleet } = await start();
    servers.failures.push(away());
    const run = await fleet.createRun({ environment: "NoiseWorld-0", model: "m-1" }, { displayName: "first" });
    expect(run).toMatchObject({ id: "run-1", displayName: "first" });
    expect(servers.runs.size).toBe(1);
    expect(new Set(servers.attempts).size).toBe(1);
    const again = await fleet.createRun({ environment: "NoiseWorld-0", model: "m-1" });
    expect(again.id).toBe("run-2");
  });

  test("is found, listed over pages, and cancelled", async () => {
    const { fleet } = await start();
    for (let i = 0; i < 5; i++) await fleet.createRun({ environment: "NoiseWorld-0" });
    expect((await all(fleet.runs())).map(({ id }) => id)).toEqual(["run-1", "run-2", "run-3", "run-4", "run-5"]);
    expect(hasEnded(await fleet.run("run-3"))).toBe(false);
    expect(hasEnded(await fleet.cancelRun("run-3", "enough"))).toBe(true);
    await expect(fleet.run("run-9")).rejects.toMatchObject({ reason: "UNKNOWN_RUN" });
  });
});

describe("watching a run", () => {
  async function watched(events: number, options: WatchOptions = {}) {
    const { servers, fleet } = await start();
    const { id } = await fleet.createRun({ environment: "NoiseWorld-0" });
    for (let i = 1; i <= events; i++) {
      servers.write(id, i === events ? RunState.RUN_STATE_SUCCEEDED : RunState.RUN_STATE_RUNNING);
    }
    return {
      servers,
      fleet,
      id,
      sequences: async () => (await all(fleet.watchRun(id, options))).map((one) => one.event.sequence),
    };
  }

  test("tells each event once and ends with the run", async () => {
    const { sequences } = await watched(3);
    expect(await sequences()).toEqual([1n, 2n, 3n]);
  });

  test("begins after a sequence number, also at the end of a run that has ended", async () => {
    expect(await (await watched(3, { afterSequence: 2n })).sequences()).toEqual([3n]);
    expect(await (await watched(3, { afterSequence: 3n })).sequences()).toEqual([]);
  });

  test("goes on where it was after every broken connection", async () => {
    const interruptions: string[] = [];
    const { servers, sequences } = await watched(5, { onInterruption: (error) => interruptions.push(error.message) });
    servers.cutStreamsAfter = 2;
    expect(await sequences()).toEqual([1n, 2n, 3n, 4n, 5n]);
    expect(servers.attempts.slice(1)).toEqual(["0", "2", "4"]);
    expect(interruptions).toHaveLength(2);
  });

  test("survives the restart of the optimizer", async () => {
    const { servers, fleet } = await start();
    const { id } = await fleet.createRun({ environment: "NoiseWorld-0" });
    servers.write(id, RunState.RUN_STATE_RUNNING);
    const seen: bigint[] = [];
    for await (const { event, run } of fleet.watchRun(id)) {
      seen.push(event.sequence);
      if (event.sequence === 1n) {
        await servers.stop();
        await servers.start();
        servers.write(id, RunState.RUN_STATE_SUCCEEDED);
      } else expect(hasEnded(run)).toBe(true);
    }
    expect(seen).toEqual([1n, 2n]);
  });

  test("gives up when nobody answers for as long as it has patience", async () => {
    const { servers, sequences } = await watched(3, { patienceMs: 300 });
    await servers.stop();
    await expect(sequences()).rejects.toMatchObject({ reason: "OPTIMIZER_UNAVAILABLE" });
  });

  test("ends with its signal", async () => {
    const { servers, fleet } = await start();
    const { id } = await fleet.createRun({ environment: "NoiseWorld-0" });
    servers.write(id, RunState.RUN_STATE_RUNNING);
    const stop = new AbortController();
    const reading = (async () => {
      for await (const _ of fleet.watchRun(id, { signal: stop.signal })) stop.abort();
    })();
    await expect(reading).rejects.toMatchObject({ reason: "CANCELLED" });
  });

  test("of an unknown run fails at once", async () => {
    const { fleet } = await start();
    await expect(all(fleet.watchRun("run-9"))).rejects.toMatchObject({ reason: "UNKNOWN_RUN" });
  });
});

describe("an evaluation", () => {
  test("is collected in the order of its seeds", async () => {
    const { fleet } = await start();
    const told: bigint[] = [];
    const ended: bigint[] = [];
    const { episodes, summary } = await fleet.evaluate(
      { environment: "NoiseWorld-0", policySource: source, seeds: [2n, 0n, 51n] },
      { onEpisode: ({ seed }) => told.push(seed), onProgress: ({ endedCount }) => ended.push(endedCount) },
    );
    expect(episodes.map(({ seed, returnValue }) => [seed, returnValue])).toEqual([
      [2n, 2 / 3],
      [0n, 0],
      [51n, 17],
    ]);
    expect(summary.stepCount).toBe(30n);
    expect(told).toEqual([2n, 0n, 51n]);
    expect(ended).toEqual([1n, 2n, 3n]);
  });

  test("that breaks is asked for again by the same id, and its result is whole", async () => {
    const { servers, fleet } = await start();
    servers.cutStreamsAfter = 1;
    const { episodes } = await fleet.evaluate({ environment: "NoiseWorld-0", policySource: source, seeds: [1n, 2n] });
    expect(episodes.map(({ seed }) => seed)).toEqual([1n, 2n]);
    expect(servers.attempts).toHaveLength(2);
    expect(new Set(servers.attempts).size).toBe(1);
  });

  test("of a broken policy is a result", async () => {
    const { fleet } = await start();
    const { episodes } = await fleet.evaluate({ environment: "NoiseWorld-0", policySource: "", seeds: [1n] });
    expect(episodes[0]?.error?.message).toBe("no class");
  });
});

test("a completion has an id, so that a lost answer is not paid twice", async () => {
  const { servers, fleet } = await start();
  servers.failures.push(away());
  const request = { model: "m-1", messages: [{ role: llm.Message_Role.ROLE_USER, content: "hello" }] };
  expect((await fleet.complete(request)).text).toBe("you said: hello");
  expect(servers.attempts).toHaveLength(2);
  expect(new Set(servers.attempts)).not.toContain("");
  expect(new Set(servers.attempts).size).toBe(1);
  expect((await fleet.complete({ ...request, requestId: "mine" })).requestId).toBe("mine");
});

test("what is wrong is told and not tried again", async () => {
  const { fleet } = await start();
  await expect(fleet.environment("NoiseWord-0")).rejects.toMatchObject({
    reason: "UNKNOWN_ENVIRONMENT",
    message: "no environment NoiseWord-0; did you mean NoiseWorld-0?",
  });
  expect((await fleet.environment("NoiseWorld-0")).id).toBe("NoiseWorld-0");
  expect((await all(fleet.environments())).map(({ id }) => id)).toEqual(["NoiseWorld-0"]);
  expect((await all(fleet.models())).map(({ name }) => name)).toEqual(["m-1"]);
});

test("a fleet that is away is waited for, then named", async () => {
  const { servers, fleet } = await start();
  await servers.stop();
  await expect(fleet.environment("NoiseWorld-0", "", { patienceMs: 200 })).rejects.toMatchObject({
    reason: "ROLLOUT_UNAVAILABLE",
    message: expect.stringContaining(servers.address),
  });
  const asked = fleet.environment("NoiseWorld-0");
  await servers.start();
  expect((await asked).id).toBe("NoiseWorld-0");
});

test("an address that nobody gave is asked for, without contacting anything", async () => {
  await using fleet = connect({}, {});
  expect(() => fleet.optimizer).toThrow(/connect\(\{ optimizer: "host:port" \}\) or set PROMPTPO_OPTIMIZER/);
  await expect(fleet.run("run-1")).rejects.toMatchObject({ reason: "PRECONDITION_FAILED" });
});

test("address, token and TLS come from the environment where the options leave them out", async () => {
  const tls = (name: string): string =>
    fileURLToPath(import.meta.resolve(`@promptpo/service-kit/testing/tls/${name}.pem`));
  const token = "alice-0123456789abcdef";
  const servers = await new SmallFleet({
    PROMPTPO_TOKENS: JSON.stringify({ alice: token }),
    PROMPTPO_TLS_CERT: tls("server"),
    PROMPTPO_TLS_KEY: tls("server-key"),
    PROMPTPO_TLS_CA: tls("ca"),
    PROMPTPO_TLS_CLIENT_AUTH: "require",
  }).start();
  stack.push(servers);
  const env = {
    PROMPTPO_OPTIMIZER: servers.address,
    PROMPTPO_TLS_CA: tls("ca"),
    PROMPTPO_TLS_CERT: tls("client"),
    PROMPTPO_TLS_KEY: tls("client-key"),
  };
  await using named = connect({}, { ...env, PROMPTPO_TOKEN: token });
  expect((await named.createRun({ environment: "NoiseWorld-0" })).tenant).toBe("alice");
  await using nobody = connect({}, env);
  await expect(nobody.createRun({})).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });
});
