// The life of a service within a process: listening, stopping, and streams side by side.
import { afterEach, expect, test } from "vitest";
import { fourClients } from "../testing/four-kinds.ts";
import { getRun, TestServices } from "../testing/test-services.ts";

const services = new TestServices();
afterEach(() => services.end());

test("listening beyond this machine without protection is warned of, loudly, and works", async () => {
  const { lines, runs, service } = await services.start({ PROMPTPO_LISTEN: "0.0.0.0:0" });
  const [warning] = lines.filter((line) => line.includes('"level":"warn"'));
  expect(warning).toContain("without tokens and TLS");
  const port = service.address.split(":")[1];
  expect((await runs({ target: `127.0.0.1:${port}` }).getRun(getRun("echo x"))).run?.id).toBe("x");
});

test("a port that is taken fails the start and names it; nothing stays open", async () => {
  const { service } = await services.start();
  await expect(services.start({ PROMPTPO_LISTEN: service.address })).rejects.toThrow(service.address);
});

test("a stop closes what it can and tells the first failure", async () => {
  const done: string[] = [];
  const { service } = await services.start(
    {},
    {
      drain: async () => {
        done.push("drain");
        throw new Error("the queue is stuck");
      },
      close: async () => void done.push("close"),
    },
  );
  await expect(service.stop()).rejects.toThrow("the queue is stuck");
  await expect(service.stop()).rejects.toThrow("the queue is stuck");
  expect(done).toEqual(["drain", "close"]);
});

test("streams of one client do not hold each other up while one is not read", async () => {
  const { service } = await services.start();
  const clients = services.closing(fourClients({ target: service.address, unavailable: "OPTIMIZER_UNAVAILABLE" }));
  const stalled = clients.server_stream("endless")[Symbol.asyncIterator]();
  await stalled.next();
  const second = clients.server_stream("endless")[Symbol.asyncIterator]();
  // More than a connection's window holds.
  for (let i = 0; i < 1_000; i++) await second.next();
  await second.return?.();
  await stalled.return?.();
});
