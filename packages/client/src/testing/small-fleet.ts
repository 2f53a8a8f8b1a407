/**
 * For tests: a real server of all three services whose state outlives its restarts, as a database would. Runs have the
 * events that a test writes; evaluations and completions are made up but obey request ids.
 */
import { llm, optimizer, rollout, types } from "@promptpo/contracts";
import {
  baseConfig,
  FleetError,
  implement,
  loadConfig,
  nearest,
  type RunningService,
  startService,
  untilAborted,
} from "@promptpo/service-kit";
import { z } from "zod";

const { RunState } = optimizer;

/** What the servers did, and what they are told to do next. */
export class SmallFleet implements AsyncDisposable {
  readonly runs = new Map<string, { run: optimizer.Run; events: optimizer.Event[] }>();
  /** Request ids of attempts, in the order of their arrival. */
  readonly attempts: string[] = [];
  /** Tenants of calls. */
  readonly tenants: string[] = [];
  /** Errors for the next calls, each after the work was done: what a broken connection looks like. */
  readonly failures: FleetError[] = [];
  /** Streams end with SHUTTING_DOWN after so many messages. */
  cutStreamsAfter = Number.POSITIVE_INFINITY;
  readonly #runOfKey = new Map<string, string>();
  readonly #env: Readonly<Record<string, string>>;
  #service: RunningService | undefined;
  #address = "";
  readonly #created = Promise.withResolvers<void>();
  #written = Promise.withResolvers<void>();

  constructor(env: Readonly<Record<string, string>> = {}) {
    this.#env = env;
  }

  /** The same after a restart. */
  get address(): string {
    return this.#address;
  }

  async start(): Promise<this> {
    const config = loadConfig(z.object(baseConfig), {
      env: {
        PROMPTPO_METRICS_LISTEN: "off",
        PROMPTPO_DRAIN_MS: "0",
        ...(this.#address === "" ? {} : { PROMPTPO_LISTEN: this.#address }),
        ...this.#env,
      },
    });
    this.#service = await startService({
      name: "small-fleet",
      config,
      parts: { services: this.#services(), close: async () => undefined },
    });
    this.#address = this.#service.address;
    return this;
  }

  async stop(): Promise<void> {
    await this.#service?.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Resolves once there is a run. */
  created(): Promise<void> {
    return this.#created.promise;
  }

  /** Adds an event to a run's log and tells its watchers. */
  write(runId: string, state: optimizer.RunState): void {
    const { run, events } = this.#known(runId);
    const sequence = BigInt(events.length + 1);
    const place = `r1/c${String(events.length).padStart(2, "0")}/policy/0`;
    events.push(optimizer.Event.fromPartial({ sequence, place }));
    run.state = state;
    run.lastSequence = sequence;
    this.#written.resolve();
    this.#written = Promise.withResolvers();
  }

  #known(runId: string) {
    const entry = this.runs.get(runId);
    if (entry === undefined) throw new FleetError("UNKNOWN_RUN", `no run ${runId}; list them with promptpo list`);
    return entry;
  }

  #failIfTold(): void {
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
  }

  #services() {
    const fleet = this;
    return [
      implement(optimizer.OptimizerService, {
        createRun: async ({ settings, requestId, displayName }, { tenant }) => {
          fleet.attempts.push(requestId);
          fleet.tenants.push(tenant);
          const id = fleet.#runOfKey.get(requestId) ?? `run-${fleet.runs.size + 1}`;
          if (!fleet.runs.has(id)) {
            const run = optimizer.Run.fromPartial({
              id,
              displayName,
              tenant,
              state: RunState.RUN_STATE_QUEUED,
              ...(settings === undefined ? {} : { settings }),
            });
            fleet.runs.set(id, { run, events: [] });
            fleet.#runOfKey.set(requestId, id);
            fleet.#created.resolve();
          }
          fleet.#failIfTold();
          return { run: fleet.#known(id).run, estimate: undefined };
        },
        getRun: async ({ runId }) => ({ run: fleet.#known(runId).run }),
        listRuns: async ({ pageToken }) => {
          const all = [...fleet.runs.values()].map(({ run }) => run);
          const at = Number(pageToken || "0");
          return { runs: all.slice(at, at + 2), nextPageToken: at + 2 < all.length ? String(at + 2) : "" };
        },
        cancelRun: async ({ runId }) => {
          fleet.write(runId, RunState.RUN_STATE_CANCELLED);
          return { run: fleet.#known(runId).run };
        },
        async *watchRun({ runId, afterSequence }, { signal }) {
          fleet.attempts.push(String(afterSequence));
          const { run, events } = fleet.#known(runId);
          let sent = 0;
          for (let next = Number(afterSequence); ; ) {
            const event = events[next];
            if (event !== undefined) {
              if (sent++ >= fleet.cutStreamsAfter)
                throw new FleetError("SHUTTING_DOWN", "the service is shutting down");
              yield { event, run };
              next++;
            } else if (run.state >= RunState.RUN_STATE_SUCCEEDED) {
              return;
            } else {
              yield { event: undefined, run };
              await untilAborted(fleet.#written.promise, signal);
            }
          }
        },
      }),
      implement(rollout.RolloutServiceService, {
        listEnvironments: async () =>
          rollout.ListEnvironmentsResponse.fromPartial({ environments: [{ id: "NoiseWorld-0" }] }),
        getEnvironment: async ({ environment }) => {
          if (environment !== "NoiseWorld-0") {
            const [near = ""] = nearest(environment, ["NoiseWorld-0"]);
            throw new FleetError("UNKNOWN_ENVIRONMENT", `no environment ${environment}; did you mean ${near}?`);
          }
          return rollout.GetEnvironmentResponse.fromPartial({
            environment: {
              id: environment,
              policyClass: "NoiseWorldPolicy",
              actionSpace: { kind: "discrete", n: 4n },
            },
          });
        },
        async *evaluatePolicy({ seeds, requestId, policySource }) {
          fleet.attempts.push(requestId);
          let sent = 0;
          for (const seed of seeds) {
            if (sent++ >= fleet.cutStreamsAfter) {
              fleet.cutStreamsAfter = Number.POSITIVE_INFINITY;
              throw new FleetError("SIDECAR_DIED", "the sidecar died while it worked on this");
            }
            const broken = policySource === "" ? { error: types.PolicyError.fromPartial({ message: "no class" }) } : {};
            const value = types.EpisodeResult.fromPartial({
              seed,
              returnValue: Number(seed) / 3,
              length: 10n,
              ...broken,
            });
            yield { part: { $case: "episode", value } };
            const progress = { episodeCount: BigInt(seeds.length), endedCount: BigInt(sent) };
            yield { part: { $case: "progress", value: rollout.EvaluationProgress.fromPartial(progress) } };
          }
          const meanReturn = seeds.reduce((sum, seed) => sum + Number(seed) / 3, 0) / seeds.length;
          const value = rollout.EvaluationSummary.fromPartial({ meanReturn, stepCount: BigInt(10 * seeds.length) });
          yield { part: { $case: "summary", value } };
        },
      }),
      implement(llm.LlmGatewayService, {
        complete: async ({ requestId, messages }) => {
          fleet.attempts.push(requestId);
          fleet.#failIfTold();
          const text = `you said: ${messages.at(-1)?.content ?? ""}`;
          return llm.CompleteResponse.fromPartial({ completion: { text, requestId } });
        },
        listModels: async () => llm.ListModelsResponse.fromPartial({ models: [{ name: "m-1" }] }),
      }),
    ];
  }
}
