// CreateRun: settings are completed and checked, the environment's texts are frozen into the log, and the run begins.
// A request id seen before gives back its run. With validate_only nothing is written.
import { canonicalJson, type llm, optimizer, type rollout, sha256 } from "@promptpo/contracts";
import { FleetError, nearest } from "@promptpo/service-kit/errors.ts";
import { runIdOfRequest } from "../core/candidate-id.ts";
import { environmentJson } from "../core/environment-json.ts";
import { estimateRun } from "../core/estimate.ts";
import { estimateTokens } from "../core/history.ts";
import { resolveSettings } from "../core/resolve-settings.ts";
import { compileSettings } from "../core/settings.ts";
import { taskPrompt } from "../prompts/task.ts";
import { PROMPT_VERSION } from "../prompts/version.ts";
import { ownedRun } from "./owned-run.ts";
import type { HandlerPorts, OptimizerHandler } from "./ports.ts";
import { runMessage } from "./run-message.ts";

export function createRun(ports: HandlerPorts): OptimizerHandler<"createRun"> {
  const { runs, log } = ports;
  return async (request, context) => {
    const { tenant } = context;
    const given = request.settings;
    if (given === undefined || given.environment.trim() === "")
      throw violated([{ field: "settings.environment", description: "name the environment to run" }]);
    if (request.requestId.length > 200)
      throw violated([{ field: "request_id", description: "has more than 200 characters" }]);
    const requestSha256 = digestOf(request);

    if (request.requestId !== "" && !request.validateOnly) {
      const known = await runs.ofRequest(tenant, request.requestId);
      if (known !== undefined) return again(known);
    }

    const environment = await findEnvironment(ports, given.environment, given.variant, context);
    const resolved = resolveSettings(given, environment);
    if (!resolved.ok) throw violated(resolved.violations);
    const model = await findModel(ports, given.model, context);
    const settings = compileSettings(resolved.settings);
    const taskTokens = estimateTokens(taskPrompt(environment, settings));
    const estimate = estimateRun(settings, environment.horizon, taskTokens, model?.price);
    if (request.validateOnly) {
      const run = optimizer.Run.fromPartial({ displayName: request.displayName, tenant });
      return { run: { ...run, settings: resolved.settings }, estimate };
    }

    const created: optimizer.RunCreated = {
      settings: resolved.settings,
      environmentJson: environmentJson(environment),
      promptVersion: PROMPT_VERSION,
    };
    const run = await runs.create(
      {
        id: request.requestId === "" ? ports.newRunId() : runIdOfRequest(tenant, request.requestId),
        tenant,
        requestId: request.requestId,
        requestSha256,
        displayName: request.displayName,
        environment: environment.id,
        model: given.model,
      },
      created,
    );
    if (run === undefined) {
      // Another call with the same request id was faster.
      const known = await runs.ofRequest(tenant, request.requestId);
      if (known === undefined) throw new FleetError("CONFLICT", "the run's id is taken; repeat the request");
      return again(known);
    }
    ports.runCreated();
    log.info({ run: run.state.runId, tenant, environment: environment.id, model: given.model }, "run created");
    return { run: runMessage(run), estimate };

    async function again(known: { id: string; requestSha256: string }): Promise<optimizer.CreateRunResponse> {
      if (known.requestSha256 !== requestSha256)
        throw new FleetError(
          "REQUEST_ID_REUSED",
          `the request id ${request.requestId} made the run ${known.id} with other settings; use another id for another run`,
          { metadata: { run: known.id } },
        );
      return { run: runMessage(await ownedRun(runs, known.id, tenant)), estimate: undefined };
    }
  };
}

/** Of what was asked for, not of what it came to: defaults of another version do not make it another request. */
function digestOf({ settings, displayName }: optimizer.CreateRunRequest): string {
  const asked = settings === undefined ? {} : optimizer.RunSettings.toJSON(settings);
  return sha256(canonicalJson(JSON.parse(JSON.stringify({ asked, displayName }))));
}

type Call = Parameters<OptimizerHandler<"createRun">>[1];

async function findEnvironment(
  { environments }: HandlerPorts,
  id: string,
  variant: string,
  context: Call,
): Promise<rollout.Environment> {
  try {
    return await environments.environment(id, variant, context);
  } catch (thrown) {
    const error = FleetError.from(thrown);
    if (error.reason !== "UNKNOWN_ENVIRONMENT" || error.metadata["nearest"] !== undefined) throw error;
    const near = nearest(id, await environments.environmentIds(context));
    const hint = near.length === 0 ? "list them with ListEnvironments" : `did you mean ${near.join(" or ")}?`;
    throw new FleetError("UNKNOWN_ENVIRONMENT", `no environment is called ${id}; ${hint}`, {
      metadata: { environment: id, nearest: near.join(",") },
      cause: error,
    });
  }
}

/** The model as the gateway lists it; undefined where it keeps no list, or is away: the run then waits for it. */
async function findModel({ models, log }: HandlerPorts, name: string, context: Call): Promise<llm.Model | undefined> {
  let known: llm.Model[];
  try {
    known = await models.listModels(context);
  } catch (thrown) {
    const error = FleetError.from(thrown);
    if (!error.retryable && error.reason !== "UNIMPLEMENTED" && error.reason !== "DEADLINE_EXCEEDED") throw error;
    log.info({ reason: error.reason }, "the gateway's models are not known; the model's name is taken as it is");
    return undefined;
  }
  if (known.length === 0) return undefined;
  const found = known.find((model) => model.name === name);
  if (found !== undefined) return found;
  const names = known.map((model) => model.name);
  const near = nearest(name, names);
  const hint = near.length === 0 ? `offered: ${names.slice(0, 10).join(", ")}` : `did you mean ${near.join(" or ")}?`;
  throw new FleetError("UNKNOWN_MODEL", `the llm-gateway offers no model called ${name}; ${hint}`, {
    metadata: { model: name, nearest: near.join(",") },
  });
}

function violated(violations: readonly { field: string; description: string }[]): FleetError {
  const first = violations[0];
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
  return new FleetError("INVALID_ARGUMENT", `${first?.field}: ${first?.description}${more}`, { violations });
}
