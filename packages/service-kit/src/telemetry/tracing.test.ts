import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { FleetError } from "../errors/fleet-error.ts";
import { startTracing } from "./tracing.ts";

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

test("nothing is loaded or sent while no collector is named", async () => {
  expect(await startTracing("optimizer", {})).toBeUndefined();
  expect(await startTracing("optimizer", { OTEL_EXPORTER_OTLP_ENDPOINT: " " })).toBeUndefined();
  const off = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", OTEL_SDK_DISABLED: "true" };
  expect(await startTracing("optimizer", off)).toBeUndefined();
});

test("a call's span reaches the collector, joined to its caller's trace", async () => {
  const received = Promise.withResolvers<string>();
  const collector = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const body = Buffer.concat(pieces);
      received.resolve(String(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body));
      response.end("{}");
    });
  });
  closers.push(() => collector.close());
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const { port } = collector.address() as AddressInfo;
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = `http://127.0.0.1:${port}`;
  closers.push(() => delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"]);

  const tracer = await startTracing("optimizer", process.env);
  const span = tracer?.start("/promptpo.optimizer.v1.Optimizer/GetRun", PARENT);
  expect(span?.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
  expect(span?.traceparent).not.toBe(PARENT);
  span?.end(5, new FleetError("UNKNOWN_RUN", "no such run"));
  await tracer?.close();
  const body = await received.promise;
  expect(body).toContain("0af7651916cd43dd8448eb211c80319c");
  expect(body).toContain("promptpo.optimizer.v1.Optimizer/GetRun");
  expect(body).toContain("UNKNOWN_RUN");
  expect(body).toContain("optimizer");
});

test("a damaged trace header starts a new trace", async () => {
  const tracer = await startTracing("optimizer", { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" });
  const span = tracer?.start("/a/b", "00-nonsense");
  expect(span?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});
