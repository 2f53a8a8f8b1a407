// What probes, scrapers and reflection see, on a real server.
import { status } from "@grpc/grpc-js";
import { optimizer } from "@promptpo/contracts";
import { afterEach, describe, expect, test } from "vitest";
import { fourKinds, Witness } from "../testing/four-kinds.ts";
import { healthOf, reflectedServices, watchHealth } from "../testing/probes.ts";
import { getRun, TestServices } from "../testing/test-services.ts";

const services = new TestServices();
afterEach(() => services.end());

test("calls are counted by service, method, kind and code", async () => {
  const { runs, metrics, witness } = await services.start();
  const client = runs();
  await client.getRun(getRun("echo x"));
  await client.getRun(getRun("fail")).catch(() => undefined);
  for await (const _ of client.watchRun(optimizer.WatchRunRequest.fromPartial({ runId: "endless" }))) break;
  await witness.until(() => witness.closed === 1);
  const stop = new AbortController();
  const open = client.getRun(getRun("wait"), { signal: stop.signal }).catch(() => undefined);
  await witness.until(() => witness.contexts.length === 4);
  const text = await metrics.metrics();
  const labels = (method: string, kind: string) =>
    `grpc_service="promptpo.optimizer.v1.Optimizer",grpc_method="${method}",grpc_type="${kind}"`;
  expect(text).toContain(`grpc_server_started_total{${labels("GetRun", "unary")}} 3`);
  expect(text).toContain(`grpc_server_handled_total{${labels("GetRun", "unary")},grpc_code="OK"} 1`);
  expect(text).toContain(`grpc_server_handled_total{${labels("GetRun", "unary")},grpc_code="NotFound"} 1`);
  expect(text).toContain(`grpc_server_handled_total{${labels("WatchRun", "server_stream")},grpc_code="Canceled"} 1`);
  expect(text).toContain(`grpc_server_handling_seconds_count{${labels("GetRun", "unary")}} 2`);
  expect(text).toContain(`grpc_server_in_flight{${labels("GetRun", "unary")}} 1`);
  stop.abort();
  await open;
});

describe("health", () => {
  test("follows what the service says of itself, by name and over HTTP", async () => {
    let problem: string | undefined = "the database does not answer";
    const { service } = await services.start(
      { PROMPTPO_METRICS_LISTEN: "127.0.0.1:0" },
      { ready: async () => problem },
    );
    const http = (path: string) => fetch(`http://${service.metricsAddress}${path}`);
    expect(await healthOf(services.raw(service.address), "")).toBe("NOT_SERVING");
    const unready = await http("/readyz");
    expect([unready.status, await unready.text()]).toEqual([503, "the database does not answer\n"]);
    expect((await http("/healthz")).status).toBe(200);

    const watched = watchHealth(services.raw(service.address), "promptpo.optimizer.v1.Optimizer");
    expect(await watched.next()).toBe("NOT_SERVING");
    problem = undefined;
    expect(await watched.next()).toBe("SERVING");
    expect((await http("/readyz")).status).toBe(200);
    expect(await healthOf(services.raw(service.address), "promptpo.sim.v1.Simulator")).toBe("SERVING");
    await expect(healthOf(services.raw(service.address), "no.such.Service")).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });

    const stopped = service.stop();
    expect(await watched.next()).toBe("NOT_SERVING");
    await stopped;
  });

  test("a check that fails is no crash", async () => {
    const { service, lines } = await services.start({}, { ready: () => Promise.reject(new Error("no idea")) });
    expect(await healthOf(services.raw(service.address), "")).toBe("NOT_SERVING");
    expect(lines.join()).toContain("no idea");
  });
});

test("the HTTP listener knows three paths and one method", async () => {
  const { service } = await services.start({ PROMPTPO_METRICS_LISTEN: "127.0.0.1:0" });
  const answer = async (path: string, method = "GET") =>
    (await fetch(`http://${service.metricsAddress}${path}`, { method })).status;
  expect(await answer("/metrics?x=1")).toBe(200);
  expect(await answer("/")).toBe(404);
  expect(await answer("/metrics", "POST")).toBe(405);
  expect(await answer("/readyz", "HEAD")).toBe(200);
});

test("reflection shows the services that are offered, whole", async () => {
  const { service } = await services.start({}, { services: fourKinds(new Witness()).slice(0, 1) });
  expect(await reflectedServices(services.raw(service.address))).toEqual(["promptpo.optimizer.v1.Optimizer"]);
});
