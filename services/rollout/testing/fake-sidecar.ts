/**
 * A sidecar that misbehaves on purpose: the real contract on a real port, with results made up from the seed.
 *
 * For what real sidecars do not do on demand: disagree, hang, refuse, die at a given episode.
 */
import { rollout, sim, types } from "@promptpo/contracts";
import {
  type BaseConfig,
  baseConfig,
  FleetError,
  type Handlers,
  implement,
  loadConfig,
  type RunningService,
  startService,
} from "@promptpo/service-kit";
import { z } from "zod";
import { type FakeSessionBehaviour, FakeSessions } from "./fake-sessions.ts";

export interface FakeBehaviour extends FakeSessionBehaviour {
  readonly digest?: string;
  readonly confined?: boolean;
  readonly horizon?: number;
  /** Called before each episode: throw to fail the call, wait to hold it up. */
  readonly before?: (seed: bigint, request: sim.RunBlockRequest, signal: AbortSignal) => Promise<void>;
  /** Environments beyond those of the handshake; without it there are none. */
  readonly describe?: Handlers<sim.SimulatorService>["describeEnvironment"];
  readonly summarize?: Handlers<sim.SimulatorService>["summarize"];
  readonly render?: Handlers<sim.SimulatorService>["render"];
}

export interface FakeSidecar extends AsyncDisposable {
  readonly address: string;
  /** Blocks as they were asked for. */
  readonly blocks: sim.RunBlockRequest[];
  /** Seeds answered, in order. */
  readonly answered: bigint[];
  readonly sessions: FakeSessions;
  /** Calls that are answered at this moment. */
  readonly active: () => number;
  stop(): Promise<void>;
}

/** What every fake answers for a seed: a double with all its bits in use. */
export function fakeReturn(seed: bigint): number {
  return Math.sqrt(Number(seed) + 2) / 3;
}

export function fakeEpisode(seed: bigint): types.EpisodeResult {
  return types.EpisodeResult.fromPartial({ seed, returnValue: fakeReturn(seed), length: 7n, truncated: true });
}

export async function startFakeSidecar(behaviour: FakeBehaviour = {}, listen = "127.0.0.1:0"): Promise<FakeSidecar> {
  const blocks: sim.RunBlockRequest[] = [];
  const answered: bigint[] = [];
  const sessions = new FakeSessions(behaviour);
  let active = 0;
  const handlers: Partial<Handlers<sim.SimulatorService>> = {
    handshake: async () => hello(behaviour),
    async *runBlock(request, context) {
      blocks.push(request);
      active += 1;
      try {
        for (const seed of request.seeds) {
          yield sim.RunBlockResponse.fromPartial({ part: { $case: "heartbeat", value: { seed } } });
          await behaviour.before?.(seed, request, context.signal);
          if (request.capture?.seeds.includes(seed) === true) {
            const npz = Buffer.from(`PK\u0003\u0004 ${seed} ${request.capture.stride}`);
            yield { part: { $case: "trajectory", value: { seed, npz } } };
          }
          answered.push(seed);
          const timings = { seed, actSeconds: [2 ** -13, 2 ** -12], stepSeconds: [2 ** -14, 2 ** -12] };
          yield { part: { $case: "timings", value: timings } };
          yield { part: { $case: "episode", value: fakeEpisode(seed) } };
        }
      } finally {
        active -= 1;
      }
    },
    ...sessions.handlers,
    ...(behaviour.describe === undefined ? {} : { describeEnvironment: behaviour.describe }),
    ...(behaviour.summarize === undefined ? {} : { summarize: behaviour.summarize }),
    ...(behaviour.render === undefined ? {} : { render: behaviour.render }),
  };
  const service: RunningService = await startService({
    name: "fake-sidecar",
    config: testConfig({ PROMPTPO_LISTEN: listen, PROMPTPO_DRAIN_MS: "0" }),
    parts: { services: [implement(sim.SimulatorService, handlers)], close: async () => undefined },
  });
  return {
    address: service.address,
    blocks,
    answered,
    sessions,
    active: () => active,
    stop: () => service.stop(),
    [Symbol.asyncDispose]: () => service.stop(),
  };
}

/** Fails a call as if the process had vanished: no details, just a broken connection's status. */
export function vanished(): FleetError {
  return new FleetError("SIDECAR_UNAVAILABLE", "the fake sidecar vanished");
}

export function testConfig(env: Readonly<Record<string, string>>): BaseConfig {
  return loadConfig(z.object(baseConfig), { env: { PROMPTPO_METRICS_LISTEN: "off", ...env } });
}

function hello(behaviour: FakeBehaviour): sim.HandshakeResponse {
  const confined = behaviour.confined ?? true;
  return sim.HandshakeResponse.fromPartial({
    protocolVersion: 1,
    fingerprint: { digest: behaviour.digest ?? "f".repeat(64), architecture: "fake" },
    environments: ["", "other"].map((variant) => fakeEnvironment(variant, behaviour.horizon ?? 100)),
    confinement: { confined, problem: confined ? "" : "the kernel has no Landlock" },
    canRender: true,
    pid: 1n,
  });
}

function fakeEnvironment(variant: string, horizon: number): rollout.Environment {
  return rollout.Environment.fromPartial({
    id: "Fake-v0",
    family: "fake",
    variant,
    variants: ["", "other"],
    horizon: BigInt(horizon),
    policyClass: "FakePolicy",
    texts: { observation: `what is seen of ${variant}` },
  });
}
