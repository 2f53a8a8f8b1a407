// The rollout service as the workers and CreateRun see it: whole evaluations, summaries, environments with their texts.
import { rollout, type types } from "@promptpo/contracts";
import { type ClientOptions, createClient, FleetError } from "@promptpo/service-kit";
import type { Rollout } from "../workers/ports.ts";

export interface RolloutClient extends Rollout {
  /** With its texts. Throws UNKNOWN_ENVIRONMENT, UNKNOWN_VARIANT. */
  environment(id: string, variant: string, call: RequestCall): Promise<rollout.Environment>;
  /** Ids of all environments. */
  environmentIds(call: RequestCall): Promise<string[]>;
  close(): void;
}

interface RequestCall {
  readonly tenant: string;
  readonly signal: AbortSignal;
}

const LOOK_UP_MS = 15_000;

export function openRollout(options: ClientOptions): RolloutClient {
  const client = createClient(rollout.RolloutServiceService, options);
  return {
    target: options.target,
    async evaluate(request, { tenant, signal }) {
      const episodes: types.EpisodeResult[] = [];
      let summary: rollout.EvaluationSummary | undefined;
      for await (const { part } of client.evaluatePolicy(request, { tenant, signal, requestId: request.requestId })) {
        if (part?.$case === "episode") episodes.push(part.value);
        else if (part?.$case === "summary") summary = part.value;
      }
      if (summary === undefined)
        throw new FleetError(
          "ROLLOUT_UNAVAILABLE",
          `the rollout service at ${options.target} ended the evaluation ${request.requestId} without a summary`,
        );
      return { episodes, summary };
    },
    summarize: (request, { tenant, signal }) =>
      client.summarizeTrajectories(request, { tenant, signal, requestId: request.requestId }),
    async environment(id, variant, call) {
      const request = rollout.GetEnvironmentRequest.fromPartial({
        environment: id,
        variant,
        view: rollout.EnvironmentView.ENVIRONMENT_VIEW_FULL,
      });
      const { environment } = await client.getEnvironment(request, { ...call, timeoutMs: LOOK_UP_MS });
      if (environment === undefined)
        throw new FleetError("INTERNAL", `the rollout service at ${options.target} has nothing to say of ${id}`);
      return environment;
    },
    async environmentIds(call) {
      const request = rollout.ListEnvironmentsRequest.fromPartial({});
      const { environments } = await client.listEnvironments(request, { ...call, timeoutMs: LOOK_UP_MS });
      return environments.map(({ id }) => id);
    },
    close: () => client.close(),
  };
}
