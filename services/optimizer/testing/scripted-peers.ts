// Real servers of the gateway's and the rollout service's contracts, answering from a scripted world. They keep what a
// peer promises (a request id is answered once, whoever asks again gets the same) and count what they are asked.
import { llm, rollout, types } from "@promptpo/contracts";
import { type CallContext, FleetError, implement, type RunningService, startService } from "@promptpo/service-kit";
import { baseConfig } from "@promptpo/service-kit/config/base-config.ts";
import { loadConfig } from "@promptpo/service-kit/config/load-config.ts";
import { z } from "zod";
import { ENVIRONMENT, type World } from "../core/testing/world.ts";

export interface ScriptedPeers extends AsyncDisposable {
  readonly gateway: string;
  readonly rollout: string;
  readonly asked: Asked;
  stopGateway(): Promise<void>;
  /** At the same address; what it had answered is still counted, its log is a new one. */
  startGateway(): Promise<void>;
  /** Resolves once a caller has left a call whose request id begins so. */
  untilAbandoned(prefix: string): Promise<void>;
  /** Resolves once a call with this request id has come in. */
  untilAsked(requestId: string): Promise<void>;
}

export interface Asked {
  /** Request id -> how often the provider was really asked. */
  readonly paid: ReadonlyMap<string, number>;
  /** Request id -> how often episodes were really run. */
  readonly simulated: ReadonlyMap<string, number>;
  readonly requests: readonly llm.CompleteRequest[];
  readonly evaluations: readonly rollout.EvaluatePolicyRequest[];
  /** Calls that their caller left before they were answered. */
  readonly abandoned: readonly string[];
}

export interface ScriptedOptions {
  readonly world: World;
  /** Awaited before the answer to a place; a test holds calls with it. */
  readonly hold?: (place: string, model: string) => Promise<void> | undefined;
  /** Thrown instead of an answer. */
  readonly fail?: (place: string) => FleetError | undefined;
  readonly gatewayListen?: string;
  readonly models?: readonly string[];
}

export function listenConfig(listen = "127.0.0.1:0") {
  return loadConfig(z.object(baseConfig), { env: { PROMPTPO_LISTEN: listen, PROMPTPO_METRICS_LISTEN: "off" } });
}

export async function startScriptedPeers(options: ScriptedOptions): Promise<ScriptedPeers> {
  const asked: Counts = {
    paid: new Map(),
    simulated: new Map(),
    requests: [],
    evaluations: [],
    abandoned: [],
    onNews: new Set(),
  };
  let gateway = await startGateway(options, asked);
  const rollouts = await startRollout(options, asked);
  return {
    gateway: gateway.address,
    rollout: rollouts.address,
    asked,
    stopGateway: () => gateway.stop(),
    async startGateway() {
      gateway = await startGateway({ ...options, gatewayListen: gateway.address }, asked);
    },
    untilAbandoned: (prefix) => until(asked, () => asked.abandoned.some((requestId) => requestId.startsWith(prefix))),
    untilAsked: (requestId) =>
      until(asked, () => [...asked.requests, ...asked.evaluations].some((request) => request.requestId === requestId)),
    async [Symbol.asyncDispose]() {
      await Promise.all([gateway.stop(), rollouts.stop()]);
    },
  };
}

function tell({ onNews }: Counts): void {
  for (const look of onNews) look();
}

function until({ onNews }: Counts, holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!holds()) return;
      onNews.delete(look);
      resolve();
    };
    onNews.add(look);
    look();
  });
}

interface Counts {
  readonly paid: Map<string, number>;
  readonly simulated: Map<string, number>;
  readonly requests: llm.CompleteRequest[];
  readonly evaluations: rollout.EvaluatePolicyRequest[];
  readonly abandoned: string[];
  readonly onNews: Set<() => void>;
}

async function startGateway(
  { world, hold, fail, gatewayListen, models = [] }: ScriptedOptions,
  asked: Counts,
): Promise<RunningService> {
  const answers = new Map<string, Promise<llm.Completion>>();
  const service = implement(llm.LlmGatewayService, {
    async complete(request, context) {
      const { requestId, place } = request;
      asked.requests.push(request);
      tell(asked);
      const error = fail?.(place);
      if (error !== undefined) throw error;
      const known = answers.get(requestId);
      const answer =
        known ??
        (async () => {
          asked.paid.set(requestId, (asked.paid.get(requestId) ?? 0) + 1);
          await hold?.(place, request.model);
          const { completion, errorReason, errorMessage } = world.answer(place);
          if (completion === undefined) throw new FleetError("PROVIDER_REFUSED", `${errorReason}: ${errorMessage}`);
          return { ...completion, requestId, provider: "scripted" };
        })();
      answers.set(requestId, answer);
      const completion = await unlessLeft(answer, context, asked, requestId);
      const source = known === undefined ? completion.source : llm.Completion_Source.SOURCE_ANSWER_LOG;
      return { completion: { ...completion, source } };
    },
    async listModels() {
      return llm.ListModelsResponse.fromPartial({ models: models.map((name) => ({ name })) });
    },
  });
  return startService({
    name: "scripted-gateway",
    config: listenConfig(gatewayListen),
    parts: { services: [service], close: async () => {} },
  });
}

async function startRollout({ world, hold, fail }: ScriptedOptions, asked: Counts): Promise<RunningService> {
  const known = new Set<string>();
  const service = implement(rollout.RolloutServiceService, {
    async *evaluatePolicy(request, context) {
      const place = placeOf(request.requestId);
      asked.evaluations.push(request);
      tell(asked);
      const error = fail?.(place);
      if (error !== undefined) throw error;
      if (!known.has(request.requestId))
        asked.simulated.set(request.requestId, (asked.simulated.get(request.requestId) ?? 0) + 1);
      const held = hold?.(place, "");
      if (held !== undefined) await unlessLeft(held, context, asked, request.requestId);
      const { episodes, stepCount, errorReason } = world.evaluate({
        place,
        source: request.policySource,
        seeds: request.seeds,
      });
      if (errorReason !== "") throw new FleetError("SIMULATOR_FAILED", "the simulator broke");
      known.add(request.requestId);
      for (const value of episodes) yield { part: { $case: "episode", value } };
      const summary = rollout.EvaluationSummary.fromPartial({
        stepCount,
        confined: true,
        fingerprint: { digest: "f" },
      });
      yield { part: { $case: "summary", value: summary } };
    },
    async summarizeTrajectories({ requestId, feedbackSource, resimulation }, context) {
      const held = hold?.(placeOf(requestId), "");
      if (held !== undefined) await unlessLeft(held, context, asked, requestId);
      const { policySource = "", seeds = [] } = resimulation ?? {};
      const { lines, error, stepCount } = world.summarize({ feedbackSource, policySource, seeds });
      const summaries = seeds.map((seed, at) => ({
        seed,
        text: lines[at] ?? "",
        ...(error === undefined ? {} : { error }),
      }));
      return rollout.SummarizeTrajectoriesResponse.fromPartial({ summaries, stepCount });
    },
    async getEnvironment({ environment, variant }) {
      if (environment !== ENVIRONMENT.id)
        throw new FleetError("UNKNOWN_ENVIRONMENT", `no environment is called ${environment}`);
      if (variant !== "" && variant !== ENVIRONMENT.variant)
        throw new FleetError("UNKNOWN_VARIANT", `no variant is called ${variant}`);
      return { environment: ENVIRONMENT, fingerprint: types.Fingerprint.fromPartial({ digest: "f" }) };
    },
    async listEnvironments() {
      return rollout.ListEnvironmentsResponse.fromPartial({
        environments: [{ id: ENVIRONMENT.id }, { id: "Other-v1" }],
      });
    },
  });
  return startService({
    name: "scripted-rollout",
    config: listenConfig(),
    parts: { services: [service], close: async () => {} },
  });
}

function placeOf(requestId: string): string {
  return requestId.slice(requestId.indexOf("/") + 1);
}

/** The promise's value, unless the caller leaves first. */
function unlessLeft<T>(promise: Promise<T>, { signal }: CallContext, asked: Counts, requestId: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const left = () => {
      asked.abandoned.push(requestId);
      tell(asked);
      reject(signal.reason);
    };
    signal.addEventListener("abort", left);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", left));
  });
}

/** Something that is closed until it is opened. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
