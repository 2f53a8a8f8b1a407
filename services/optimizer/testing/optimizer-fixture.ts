// Optimizers for tests: within the test's process, or as a process of its own that can be killed; and a client of them.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { optimizer } from "@promptpo/contracts";
import {
  type Client,
  createClient,
  loadConfig,
  type RunningService,
  retrying,
  silentLogger,
  startService,
} from "@promptpo/service-kit";
import { Registry } from "prom-client";
import { buildOptimizer } from "../build-optimizer.ts";
import { configSchema } from "../config.ts";

export type OptimizerClient = Client<typeof optimizer.OptimizerService>;

export interface Peers {
  readonly gateway: string;
  readonly rollout: string;
}

export interface RunningOptimizer extends AsyncDisposable {
  readonly client: OptimizerClient;
  /** Another client, with a tenant's token. */
  as(token: string): OptimizerClient;
  readonly metrics: Registry;
  stop(): Promise<void>;
}

function environment(databaseUrl: string, { gateway, rollout }: Peers, extra: Record<string, string>) {
  return {
    DATABASE_URL: databaseUrl,
    PROMPTPO_GATEWAY: gateway,
    PROMPTPO_ROLLOUT: rollout,
    PROMPTPO_METRICS_LISTEN: "off",
    PROMPTPO_LISTEN: "127.0.0.1:0",
    PROMPTPO_SWEEP_MS: "1000",
    PROMPTPO_TAKEOVER_MS: "300",
    ...extra,
  };
}

export async function startOptimizer(
  databaseUrl: string,
  peers: Peers,
  extra: Record<string, string> = {},
): Promise<RunningOptimizer> {
  const config = loadConfig(configSchema, { env: environment(databaseUrl, peers, extra) });
  const metrics = new Registry();
  const log = silentLogger();
  const parts = await buildOptimizer({ config, log, metrics, stopping: new AbortController().signal });
  const service: RunningService = await startService({ name: "optimizer", config, log, metrics, parts });
  const client = connect(service.address);
  const clients = [client];
  const stop = async () => {
    for (const each of clients) each.close();
    await service.stop();
  };
  const as = (token: string) => {
    const other = connect(service.address, token);
    clients.push(other);
    return other;
  };
  return { client, as, metrics, stop, [Symbol.asyncDispose]: stop };
}

export interface OptimizerProcess extends AsyncDisposable {
  readonly client: OptimizerClient;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

export async function spawnOptimizer(
  databaseUrl: string,
  peers: Peers,
  extra: Record<string, string> = {},
): Promise<OptimizerProcess> {
  const main = fileURLToPath(new URL("../main.ts", import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env["PATH"], PROMPTPO_DIE_WITH_PARENT: "1", ...environment(databaseUrl, peers, extra) },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const client = connect(await addressOf(child));
  const kill = async () => {
    client.close();
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  };
  return { client, kill, [Symbol.asyncDispose]: kill };
}

async function addressOf(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the process has no standard output");
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    const entry: unknown = JSON.parse(line);
    if (
      typeof entry === "object" &&
      entry !== null &&
      "msg" in entry &&
      entry.msg === "serving" &&
      "address" in entry
    ) {
      child.stdout.resume();
      return String(entry.address);
    }
  }
  throw new Error(`the optimizer did not start:\n${lines.join("\n")}`);
}

function connect(target: string, token?: string): OptimizerClient {
  return createClient(optimizer.OptimizerService, {
    target,
    unavailable: "OPTIMIZER_UNAVAILABLE",
    timeoutMs: 60_000,
    ...(token === undefined ? {} : { token }),
  });
}

/** Starts a run; `settings` over a small default. */
export async function createRun(
  client: OptimizerClient,
  settings: Parameters<typeof optimizer.RunSettings.fromPartial>[0] = {},
  rest: { requestId?: string; displayName?: string; validateOnly?: boolean } = {},
): Promise<optimizer.CreateRunResponse> {
  return client.createRun(
    optimizer.CreateRunRequest.fromPartial({
      settings: {
        environment: "Toy-v0",
        model: "m",
        rounds: 3,
        candidates: 3,
        trainSeeds: [0n, 1n],
        heldoutSeeds: [9n],
        ...settings,
      },
      ...rest,
    }),
  );
}

/** Follows a run to its end, over a database or a service that is away for a while; the events seen. */
export async function follow(client: OptimizerClient, runId: string, after = 0n): Promise<optimizer.Event[]> {
  const events: optimizer.Event[] = [];
  await retrying(async () => {
    const afterSequence = events.at(-1)?.sequence ?? after;
    for await (const { event } of client.watchRun({ runId, afterSequence }))
      if (event !== undefined) events.push(event);
  });
  return events;
}

export async function getRun(client: OptimizerClient, runId: string): Promise<optimizer.Run> {
  const request = optimizer.GetRunRequest.fromPartial({ runId, view: optimizer.RunView.RUN_VIEW_FULL });
  const { run } = await client.getRun(request);
  if (run === undefined) throw new Error("no run");
  return run;
}
