/**
 * Real gateways for tests: within this process, or as a process of their own that can be killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { llm } from "@promptpo/contracts";
import { type Client, createClient, loadConfig, silentLogger, startService } from "@promptpo/service-kit";
import { Registry } from "prom-client";
import { buildGateway } from "../build.ts";
import { gatewayConfig } from "../config.ts";

export type GatewayClient = Client<llm.LlmGatewayService>;

export interface TestGateway extends AsyncDisposable {
  readonly client: GatewayClient;
  readonly address: string;
  readonly metrics: Registry;
  /** Stops it as SIGTERM does. */
  stop(): Promise<void>;
}

/** Settings that make tests quick; a test's own come on top. */
const quick = { PROMPTPO_LOG_LEVEL: "silent", PROMPTPO_RETRY_BASE_MS: "10", PROMPTPO_DRAIN_MS: "200" };

export async function startGateway(env: Readonly<Record<string, string>>): Promise<TestGateway> {
  const config = loadConfig(gatewayConfig, { env: { ...quick, ...env } });
  const metrics = new Registry();
  const stopping = new AbortController();
  const parts = await buildGateway({ config, log: silentLogger(), metrics, stopping: stopping.signal });
  const service = await startService({ name: "llm-gateway", config, metrics, parts });
  const client = clientOf(service.address);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      stopping.abort();
      await service.stop();
      client.close();
    })();
    return stopped;
  };
  return { client, address: service.address, metrics, stop, [Symbol.asyncDispose]: stop };
}

export interface GatewayProcess extends AsyncDisposable {
  readonly client: GatewayClient;
  readonly child: ChildProcess;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; the exit code. */
  terminate(): Promise<number | null>;
}

export async function spawnGateway(env: Readonly<Record<string, string>>): Promise<GatewayProcess> {
  const child = spawn(process.execPath, [fileURLToPath(new URL("../main.ts", import.meta.url))], {
    env: { PATH: process.env["PATH"], ...quick, PROMPTPO_LOG_LEVEL: "info", PROMPTPO_DIE_WITH_PARENT: "1", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const address = await new Promise<string>((resolve, reject) => {
    exited.then(([code]) => reject(new Error(`the gateway ended with ${String(code)} before it served`)), reject);
    createInterface({ input: child.stdout }).on("line", (line) => {
      const told: unknown = JSON.parse(line);
      if (typeof told !== "object" || told === null || !("msg" in told) || told.msg !== "serving") return;
      if ("address" in told && typeof told.address === "string") resolve(told.address);
    });
  });
  const client = clientOf(address);
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    client.close();
    child.kill(signal);
    const [code] = await exited;
    return typeof code === "number" ? code : null;
  };
  return {
    client,
    child,
    kill: async () => void (await end("SIGKILL")),
    terminate: () => end("SIGTERM"),
    [Symbol.asyncDispose]: async () => void (await end("SIGKILL")),
  };
}

function clientOf(target: string): GatewayClient {
  return createClient(llm.LlmGatewayService, { target, unavailable: "GATEWAY_UNAVAILABLE", timeoutMs: 30_000 });
}
