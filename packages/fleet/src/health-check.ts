// Asks a service whether it serves, by the standard grpc health protocol. The two messages have one field each, so they are
// written and read here by hand instead of through a generated client.
import { Client, credentials } from "@grpc/grpc-js";

const SERVING = 1;

/** True when the server at `address` (loopback, no TLS) answers SERVING within the time. Never throws. */
export function isServing(address: string, timeoutMs = 1_000): Promise<boolean> {
  const client = new Client(address, credentials.createInsecure());
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      "/grpc.health.v1.Health/Check",
      () => Buffer.alloc(0),
      (bytes) => (bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0),
      {},
      { deadline: Date.now() + timeoutMs },
      (error, status) => {
        client.close();
        resolve(error === null && status === SERVING);
      },
    );
  });
}
