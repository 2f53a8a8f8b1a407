/**
 * For tests: a started service with four-kinds handlers, and clients of it, ended together.
 */
import { ChannelCredentials, Client as GrpcClient, Metadata } from "@grpc/grpc-js";
import { optimizer } from "@promptpo/contracts";
import { Registry } from "prom-client";
import type { Client, ClientOptions } from "../client/client-types.ts";
import { createClient } from "../client/create-client.ts";
import { FleetError } from "../errors/fleet-error.ts";
import { createLogger } from "../logs/create-logger.ts";
import type { RunningService, ServiceParts } from "../server/service-parts.ts";
import { startService } from "../server/start-service.ts";
import { fourKinds, testConfig, Witness } from "./four-kinds.ts";

export interface TestService {
  readonly service: RunningService;
  readonly witness: Witness;
  /** What was logged. */
  readonly lines: readonly string[];
  readonly metrics: Registry;
  /** A client of the optimizer's methods. */
  runs(options?: Partial<ClientOptions>): Client<optimizer.OptimizerService>;
}

/** Services and clients of one test. `end` them after it. */
export class TestServices {
  readonly #stack: AsyncDisposable[] = [];

  async start(env: Readonly<Record<string, string>> = {}, parts: Partial<ServiceParts> = {}): Promise<TestService> {
    const witness = new Witness();
    const lines: string[] = [];
    const metrics = new Registry();
    const service = await startService({
      name: "test",
      config: testConfig({ PROMPTPO_DRAIN_MS: "0", ...env }),
      log: createLogger("test", "debug", { write: (line) => void lines.push(line) }),
      metrics,
      parts: { services: fourKinds(witness), close: async () => undefined, ...parts },
    });
    // A test that stops its service itself has looked at the outcome.
    this.#stack.push({ [Symbol.asyncDispose]: () => service.stop().catch(() => undefined) });
    const runs = (options: Partial<ClientOptions> = {}): Client<optimizer.OptimizerService> =>
      this.closing(
        createClient(optimizer.OptimizerService, {
          target: service.address,
          unavailable: "OPTIMIZER_UNAVAILABLE",
          ...options,
        }),
      );
    return { service, witness, lines, metrics, runs };
  }

  /** A client below our own: bytes as they are, no limits. */
  raw(address: string): GrpcClient {
    const options = { "grpc.max_send_message_length": -1 };
    return this.closing(new GrpcClient(address, ChannelCredentials.createInsecure(), options));
  }

  rawUnary(address: string, path: string, body: Buffer, metadata = new Metadata()): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.raw(address).makeUnaryRequest(path, bytes, bytes, body, metadata, {}, (error, value) =>
        error === null ? resolve(value ?? Buffer.alloc(0)) : reject(FleetError.from(error)),
      );
    });
  }

  closing<T extends { close(): void }>(client: T): T {
    this.#stack.push({ [Symbol.asyncDispose]: async () => client.close() });
    return client;
  }

  async end(): Promise<void> {
    for (const one of this.#stack.splice(0).reverse()) await one[Symbol.asyncDispose]();
  }
}

export const bytes = (value: Buffer): Buffer => value;

export function getRun(runId: string): optimizer.GetRunRequest {
  return optimizer.GetRunRequest.fromPartial({ runId });
}
