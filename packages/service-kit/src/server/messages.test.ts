// Messages and headers as the wire brings them, on a real server.
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { optimizer } from "@promptpo/contracts";
import { afterEach, describe, expect, test } from "vitest";
import { FleetError } from "../errors/fleet-error.ts";
import { MESSAGE_BYTES_MOST } from "../rpc/limits.ts";
import { bytes, getRun, TestServices } from "../testing/test-services.ts";

const services = new TestServices();
afterEach(() => services.end());

describe("a message that is none", () => {
  const path = optimizer.OptimizerService.getRun.path;

  test("is told as such, with the request id", async () => {
    const { service, witness } = await services.start();
    await expect(services.rawUnary(service.address, path, Buffer.from([0xff, 0xff, 0xff]))).rejects.toMatchObject({
      reason: "MALFORMED_MESSAGE",
      requestId: expect.stringMatching(/.+/),
    });
    expect(witness.contexts).toEqual([]);
  });

  test("that is too large is refused while it arrives, and so told", async () => {
    const { service, lines } = await services.start();
    const large = Buffer.alloc(MESSAGE_BYTES_MOST + 1);
    await expect(services.rawUnary(service.address, path, large)).rejects.toMatchObject({
      reason: "MESSAGE_TOO_LARGE",
      code: status.RESOURCE_EXHAUSTED,
      retryable: false,
    });
    expect(lines.filter((line) => line.includes('"code":"RESOURCE_EXHAUSTED"'))).toHaveLength(1);
  });

  test("that is too large never leaves our own client", async () => {
    const { runs, witness } = await services.start();
    await expect(runs().getRun(getRun("x".repeat(MESSAGE_BYTES_MOST)))).rejects.toMatchObject({
      reason: "MESSAGE_TOO_LARGE",
    });
    expect(witness.contexts).toEqual([]);
  });

  test.each([0, 2])("of which a unary call gets %d is told", async (count) => {
    const { service } = await services.start();
    const error = await new Promise<ServiceError | null>((resolve) => {
      const body = Buffer.from(optimizer.GetRunRequest.encode(getRun("echo x")).finish());
      const call = services
        .raw(service.address)
        .makeClientStreamRequest(path, bytes, bytes, new Metadata(), {}, resolve);
      for (let i = 0; i < count; i++) call.write(body);
      call.end();
    });
    expect(FleetError.from(error)).toMatchObject({ reason: "MALFORMED_MESSAGE" });
  });
});

test("a method without handler, and a service that is not offered, are unimplemented", async () => {
  const { runs, service } = await services.start();
  await expect(runs().listRuns(optimizer.ListRunsRequest.fromPartial({}))).rejects.toMatchObject({
    reason: "UNIMPLEMENTED",
    message: expect.stringContaining("promptpo.optimizer.v1.Optimizer/ListRuns"),
    requestId: expect.stringMatching(/.+/),
  });
  await expect(services.rawUnary(service.address, "/no.such/Thing", Buffer.alloc(0))).rejects.toMatchObject({
    reason: "UNIMPLEMENTED",
  });
});

test("a request id that is not one is replaced, and the answer's header carries the true one", async () => {
  const { service, witness } = await services.start();
  const metadata = new Metadata();
  metadata.set("x-request-id", "two words");
  const header = await new Promise<Metadata>((resolve, reject) => {
    const body = Buffer.from(optimizer.GetRunRequest.encode(getRun("echo x")).finish());
    const call = services
      .raw(service.address)
      .makeUnaryRequest(optimizer.OptimizerService.getRun.path, bytes, bytes, body, metadata, {}, (error) =>
        error === null ? undefined : reject(error),
      );
    call.on("metadata", resolve);
  });
  const [context] = witness.contexts;
  expect(context?.requestId).not.toBe("two words");
  expect(header.get("x-request-id")).toEqual([context?.requestId]);
});
