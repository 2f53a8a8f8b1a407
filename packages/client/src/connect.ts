/**
 * The way into a fleet.
 *
 * Owns deadlines, retries and request ids of the short methods. A call is tried again only where that can not do or cost
 * anything twice: it reads, or it carries an id by which its service knows it.
 */
import { randomUUID } from "node:crypto";
import { llm, optimizer, rollout } from "@promptpo/contracts";
import {
  type CallOptions,
  type Client,
  type ClientOptions,
  createClient,
  FleetError,
  type Reason,
  retrying,
  type ServiceDefinition,
} from "@promptpo/service-kit";
import { type Connection, type ConnectOptions, connectionOf, type Environment } from "./connect-options.ts";
import { evaluateOnce } from "./evaluate.ts";
import type { CallSettings, Fleet } from "./fleet.ts";
import { pages } from "./pages.ts";
import { watchRun } from "./watch-run.ts";

/** Nothing is contacted yet: a wrong address shows at the first call. */
export function connect(options: ConnectOptions = {}, env: Environment = process.env): Fleet {
  const connection = connectionOf(options, env);
  const clients = lazyClients(connection);

  /** A call with its deadline, all attempts together; tried again while the fleet is away and the caller has patience. */
  const within = <T>(
    timeoutMs: number,
    call: CallSettings | undefined,
    run: (call: CallOptions) => Promise<T>,
  ): Promise<T> => {
    const end = performance.now() + timeoutMs;
    return retrying(() => run({ ...call, timeoutMs: Math.max(1, end - performance.now()) }), {
      timeoutMs,
      patienceMs: call?.patienceMs ?? connection.patienceMs,
      ...(call?.signal === undefined ? {} : { signal: call.signal }),
    });
  };
  const short = <T>(call: CallSettings | undefined, run: (call: CallOptions) => Promise<T>): Promise<T> =>
    within(call?.timeoutMs ?? connection.timeoutMs, call, run);
  /** Models think and simulators run for as long as they need. */
  const long = <T>(call: CallSettings | undefined, run: (call: CallOptions) => Promise<T>): Promise<T> =>
    within(call?.timeoutMs ?? Number.POSITIVE_INFINITY, call, run);

  return {
    get gateway() {
      return clients.gateway();
    },
    get rollout() {
      return clients.rollout();
    },
    get optimizer() {
      return clients.optimizer();
    },

    complete(request, call) {
      const message = llm.CompleteRequest.fromPartial({ requestId: randomUUID(), ...request });
      return long(call, async (options) => need((await clients.gateway().complete(message, options)).completion));
    },
    models: (call) =>
      pages(async (pageToken) => {
        const request = llm.ListModelsRequest.fromPartial({ pageToken });
        const { models, nextPageToken } = await short(call, (options) =>
          clients.gateway().listModels(request, options),
        );
        return { items: models, nextPageToken };
      }),

    environments: (family = "", call) =>
      pages(async (pageToken) => {
        const request = rollout.ListEnvironmentsRequest.fromPartial({ pageToken, family });
        const page = await short(call, (options) => clients.rollout().listEnvironments(request, options));
        return { items: page.environments, nextPageToken: page.nextPageToken };
      }),
    environment(environment, variant = "", call) {
      const request = rollout.GetEnvironmentRequest.fromPartial({
        environment,
        variant,
        view: rollout.EnvironmentView.ENVIRONMENT_VIEW_FULL,
      });
      return short(call, async (options) =>
        need((await clients.rollout().getEnvironment(request, options)).environment),
      );
    },
    evaluate(request, options) {
      const message = rollout.EvaluatePolicyRequest.fromPartial({ requestId: randomUUID(), ...request });
      return long(options, (call) => evaluateOnce(clients.rollout(), message, call, options));
    },

    createRun(settings, options) {
      const request = optimizer.CreateRunRequest.fromPartial({
        settings,
        requestId: options?.idempotencyKey ?? randomUUID(),
        displayName: options?.displayName ?? "",
      });
      return short(options, async (call) => need((await clients.optimizer().createRun(request, call)).run));
    },
    run(runId, call) {
      const request = optimizer.GetRunRequest.fromPartial({ runId, view: optimizer.RunView.RUN_VIEW_FULL });
      return short(call, async (options) => need((await clients.optimizer().getRun(request, options)).run));
    },
    runs: (filter = "", call) =>
      pages(async (pageToken) => {
        const request = optimizer.ListRunsRequest.fromPartial({ pageToken, filter });
        const { runs, nextPageToken } = await short(call, (options) => clients.optimizer().listRuns(request, options));
        return { items: runs, nextPageToken };
      }),
    cancelRun(runId, reason = "", call) {
      const request = optimizer.CancelRunRequest.fromPartial({ runId, reason });
      return short(call, async (options) => need((await clients.optimizer().cancelRun(request, options)).run));
    },
    candidate(candidateId, call) {
      const view = optimizer.CandidateView.CANDIDATE_VIEW_FULL;
      const request = optimizer.GetCandidateRequest.fromPartial({ candidateId, view });
      return short(call, async (options) => need((await clients.optimizer().getCandidate(request, options)).candidate));
    },
    watchRun: (runId, options) => watchRun(clients.optimizer(), runId, options),

    close: clients.close,
    [Symbol.asyncDispose]: async () => clients.close(),
  };
}

interface Clients {
  gateway(): Client<llm.LlmGatewayService>;
  rollout(): Client<rollout.RolloutServiceService>;
  optimizer(): Client<optimizer.OptimizerService>;
  close(): void;
}

function lazyClients(connection: Connection): Clients {
  const closers: (() => void)[] = [];
  const lazily = <D extends ServiceDefinition>(
    definition: D,
    name: keyof Connection["targets"],
    unavailable: Reason,
  ): (() => Client<D>) => {
    let client: Client<D> | undefined;
    return () => {
      client ??= open(definition, name, unavailable);
      return client;
    };
  };
  const open = <D extends ServiceDefinition>(
    definition: D,
    name: keyof Connection["targets"],
    unavailable: Reason,
  ): Client<D> => {
    const target = connection.targets[name];
    if (target === undefined) {
      throw new FleetError(
        "PRECONDITION_FAILED",
        `the address of the ${name} is not known: give connect({ ${name}: "host:port" }) or set PROMPTPO_${name.toUpperCase()}`,
      );
    }
    const options: ClientOptions = {
      target,
      unavailable,
      ...(connection.token === undefined ? {} : { token: connection.token }),
      ...(connection.tls === undefined ? {} : { tls: connection.tls }),
    };
    const client = createClient(definition, options);
    closers.push(() => client.close());
    return client;
  };
  return {
    gateway: lazily(llm.LlmGatewayService, "gateway", "GATEWAY_UNAVAILABLE"),
    rollout: lazily(rollout.RolloutServiceService, "rollout", "ROLLOUT_UNAVAILABLE"),
    optimizer: lazily(optimizer.OptimizerService, "optimizer", "OPTIMIZER_UNAVAILABLE"),
    close: () => {
      for (const close of closers.splice(0)) close();
    },
  };
}

/** A field that the contract promises. */
function need<T>(value: T | undefined): T {
  if (value === undefined) {
    throw new FleetError("INTERNAL", "the answer lacks what its contract promises; are both sides of one version?");
  }
  return value;
}
