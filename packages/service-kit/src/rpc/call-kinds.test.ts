// The same grid for every kind of call, on a real server at a free port.
import { status } from "@grpc/grpc-js";
import { optimizer, sim } from "@promptpo/contracts";
import { afterEach, describe, expect, test } from "vitest";
import { createClient } from "../client/create-client.ts";
import { FleetError } from "../errors/fleet-error.ts";
import { createLogger } from "../logs/create-logger.ts";
import type { RunningService } from "../server/service-parts.ts";
import { startService } from "../server/start-service.ts";
import { fourClients, fourKinds, testConfig, Witness } from "../testing/four-kinds.ts";
import { MESSAGE_BYTES_MOST } from "./limits.ts";

const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of stack.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function start(env: Readonly<Record<string, string>> = {}) {
  const witness = new Witness();
  const lines: string[] = [];
  const log = createLogger("test", "debug", { write: (line) => void lines.push(line) });
  const config = testConfig({ PROMPTPO_DRAIN_MS: "0", ...env });
  const service: RunningService = await startService({
    name: "test",
    config,
    log,
    parts: { services: fourKinds(witness), close: async () => undefined },
  });
  const clients = fourClients({ target: service.address, unavailable: "OPTIMIZER_UNAVAILABLE" });
  stack.push(service, { [Symbol.asyncDispose]: async () => clients.close() });
  return { service, witness, clients, lines };
}

async function all(texts: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const text of texts) found.push(text);
  return found;
}

async function failure(texts: AsyncIterable<string>): Promise<FleetError> {
  const error = await all(texts).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof FleetError) return error;
  throw new Error("the call did not fail with a FleetError", { cause: error });
}

describe.each(["unary", "server_stream", "client_stream", "bidi_stream"] as const)("a %s call", (kind) => {
  const streamsOut = kind === "server_stream" || kind === "bidi_stream";

  test("is answered", async () => {
    const { clients, witness } = await start();
    expect(await all(clients[kind]("echo hello", { requestId: "r-7", timeoutMs: 60_000 }))).toEqual(
      streamsOut ? ["hello", "hello", "hello"] : ["hello"],
    );
    const [context] = witness.contexts;
    expect(context?.requestId).toBe("r-7");
    expect(context?.tenant).toBe("default");
    expect(context?.deadlineMs).toBeGreaterThan(Date.now());
    expect(witness.aborts).toEqual([]);
  });

  test("with bad input says which field", async () => {
    const { clients } = await start();
    const error = await failure(clients[kind]("nonsense"));
    expect(error).toMatchObject({ reason: "INVALID_ARGUMENT", message: "no such script: nonsense" });
    expect(error.violations).toEqual([{ field: "script", description: "must be one of the known ones" }]);
  });

  test("whose handler fails carries reason, metadata and request id", async () => {
    const { clients, lines } = await start();
    const error = await failure(clients[kind]("fail", { requestId: "r-8" }));
    expect(error).toMatchObject({
      code: status.NOT_FOUND,
      reason: "UNKNOWN_RUN",
      metadata: { nearest: "r-1" },
      requestId: "r-8",
    });
    expect(lines.filter((line) => line.includes('"reason":"UNKNOWN_RUN"'))).toHaveLength(1);
  });

  test("whose handler has a bug tells the caller nothing and the log everything", async () => {
    const { clients, lines } = await start();
    const error = await failure(clients[kind]("bug", { requestId: "r-9" }));
    expect(error).toMatchObject({ code: status.INTERNAL, reason: "INTERNAL", requestId: "r-9" });
    expect(error.message).not.toContain("password");
    const [line, ...more] = lines.filter((one) => one.includes('"level":"error"'));
    expect(more).toEqual([]);
    expect(line).toContain("the password is");
    expect(line).toContain("r-9");
  });

  test("is cancelled by its caller, and its handler learns it", async () => {
    const { clients, witness } = await start();
    const controller = new AbortController();
    const failed = failure(clients[kind]("wait", { signal: controller.signal }));
    await witness.until(() => witness.contexts.length === 1);
    controller.abort();
    expect(await failed).toMatchObject({ reason: "CANCELLED" });
    await witness.until(() => witness.aborts.length === 1);
    expect(witness.aborts).toMatchObject([{ reason: "CANCELLED" }]);
  });

  test("ends at its deadline, and its handler learns it", async () => {
    const { clients, witness } = await start();
    const error = await failure(clients[kind]("wait", { timeoutMs: 150 }));
    expect(error).toMatchObject({ reason: "DEADLINE_EXCEEDED", code: status.DEADLINE_EXCEEDED });
    await witness.until(() => witness.aborts.length === 1);
    expect(witness.aborts).toMatchObject([{ reason: "DEADLINE_EXCEEDED" }]);
  });

  test("with too large an answer fails with its size", async () => {
    const { clients } = await start();
    const error = await failure(clients[kind]("large"));
    expect(error).toMatchObject({ reason: "MESSAGE_TOO_LARGE", code: status.RESOURCE_EXHAUSTED, retryable: false });
    expect(error.message).toContain(String(MESSAGE_BYTES_MOST));
  });

  test("finishes during a graceful stop, which refuses what comes after", async () => {
    const { clients, service, witness } = await start({ PROMPTPO_DRAIN_MS: "60000" });
    const controller = new AbortController();
    const running = failure(clients[kind]("wait", { signal: controller.signal }));
    await witness.until(() => witness.contexts.length === 1);
    const stopped = service.stop();
    const refused = await failure(clients[kind]("echo late"));
    expect(refused.retryable).toBe(true);
    expect(["SHUTTING_DOWN", "OPTIMIZER_UNAVAILABLE"]).toContain(refused.reason);
    expect(witness.aborts).toEqual([]);
    controller.abort();
    await running;
    await stopped;
    await service.stop();
  });

  test("that hears no signal is cut off by a forced stop", async () => {
    const { clients, service, witness } = await start();
    const running = failure(clients[kind]("deaf"));
    await witness.until(() => witness.contexts.length === 1);
    await service.stop();
    expect(await running).toMatchObject({ reason: "SHUTTING_DOWN", retryable: true });
    expect(witness.aborts).toMatchObject([{ reason: "SHUTTING_DOWN" }]);
  });

  test("ends when its client is closed, which takes no more calls", async () => {
    const { clients, witness } = await start();
    const running = failure(clients[kind]("wait"));
    await witness.until(() => witness.contexts.length === 1);
    clients.close();
    expect(await running).toMatchObject({ reason: "CANCELLED", message: expect.stringContaining("was closed") });
    expect(await failure(clients[kind]("echo x"))).toMatchObject({ reason: "CANCELLED" });
    await witness.until(() => witness.aborts.length === 1);
  });

  test("to a server that is gone names the part of the fleet and the address", async () => {
    const { clients, service } = await start();
    await service.stop();
    const error = await failure(clients[kind]("echo x"));
    expect(error).toMatchObject({ reason: "OPTIMIZER_UNAVAILABLE", retryable: true });
    expect(error.message).toContain(service.address);
  });
});

describe.each(["client_stream", "bidi_stream"] as const)("a %s call", (kind) => {
  test("whose requests fail to be made is cancelled, and the caller gets the fault itself", async () => {
    const { service, witness } = await start();
    const fault = new Error("the file ended early");
    const options = { target: service.address, unavailable: "OPTIMIZER_UNAVAILABLE" } as const;
    const runs = createClient(optimizer.OptimizerService, options);
    const simulator = createClient(sim.SimulatorService, options);
    stack.push({
      [Symbol.asyncDispose]: async () => {
        runs.close();
        simulator.close();
      },
    });
    if (kind === "client_stream") {
      const piece = optimizer.ImportRunRequest.fromPartial({ data: Buffer.from("x") });
      await expect(runs.importRun(failing(piece, Promise.resolve(), fault))).rejects.toBe(fault);
    } else {
      const open = sim.StepRequest.fromPartial({ kind: { $case: "open", value: { sessionId: "wait" } } });
      const begun = witness.until(() => witness.contexts.length === 1);
      const reading = simulator
        .step(failing(open, begun, fault))
        [Symbol.asyncIterator]()
        .next();
      await expect(reading).rejects.toBe(fault);
      await witness.until(() => witness.aborts.length === 1);
    }
  });
});

async function* failing<T>(first: T, after: Promise<void>, fault: Error): AsyncGenerator<T> {
  yield first;
  await after;
  throw fault;
}

describe.each(["server_stream", "bidi_stream"] as const)("a %s call", (kind) => {
  test("is cancelled when its reader leaves, and the handler's generator is closed", async () => {
    const { clients, witness } = await start();
    for await (const text of clients[kind]("endless")) {
      expect(text).toHaveLength(10_000);
      break;
    }
    await witness.until(() => witness.closed === 1 && witness.aborts.length === 1);
    expect(witness.aborts).toMatchObject([{ reason: "CANCELLED" }]);
  });

  test("that fails midway has delivered what came before", async () => {
    const { clients } = await start();
    const found: string[] = [];
    const reading = (async () => {
      for await (const text of clients[kind]("broken first")) found.push(text);
    })();
    await expect(reading).rejects.toMatchObject({ reason: "CONFLICT", retryable: true, retryAfterMs: 1_500 });
    expect(found).toEqual(["first"]);
  });

  test("stops producing while nobody reads", async () => {
    const { clients, witness } = await start();
    const iterator = clients[kind]("endless")[Symbol.asyncIterator]();
    await iterator.next();
    // The server has sent what the windows hold and waits now; a second call shows that the process is not busy with it.
    expect(await all(clients.unary("echo alive"))).toEqual(["alive"]);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 20; i++) await all(clients.unary("echo alive"));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
    await iterator.return?.();
    await witness.until(() => witness.closed === 1);
  });
});
