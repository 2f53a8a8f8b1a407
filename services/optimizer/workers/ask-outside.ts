// Does a command: makes the request from the run's state, calls the gateway or the rollout service, and gives back the
// event that its outcome is. Owns what requests hold. Failures are thrown as they come; whoever calls knows what to do.
import { durationFromMs, llm, optimizer, rollout, types } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import type { Command, EvaluateCommand, ModelCommand, SummarizeCommand } from "../core/command.ts";
import type { LogState } from "../core/log-state.ts";
import { FEEDBACK_LIMITS, limitsMessage, POLICY_LIMITS } from "../core/policy-limits.ts";
import { messagesDigest, promptFor } from "../prompts/prompt-for.ts";
import type { Gateway, PeerCall, Rollout } from "./ports.ts";

type Kind = NonNullable<optimizer.Event["kind"]>;

/** Beyond the model's own time: the gateway answers with its own error first. */
const GATEWAY_SLACK_MS = 30_000;

export interface Peers {
  readonly gateway: Gateway;
  readonly rollout: Rollout;
}

export function peerOf(command: Command): "gateway" | "rollout" {
  return command.kind === "model" ? "gateway" : "rollout";
}

export async function askOutside(peers: Peers, state: LogState, command: Command, call: PeerCall): Promise<Kind> {
  switch (command.kind) {
    case "model":
      return { $case: "modelAnswered", value: await complete(peers.gateway, state, command, call) };
    case "evaluate":
      return { $case: "policyEvaluated", value: await evaluate(peers.rollout, state, command, call) };
    case "summarize":
      return { $case: "trajectoriesSummarized", value: await summarize(peers.rollout, state, command, call) };
  }
}

/** The outcome of a command whose call failed for good. */
export function failedOutcome(state: LogState, command: Command, error: FleetError): Kind {
  const { reason: errorReason, message: errorMessage } = error;
  switch (command.kind) {
    case "model": {
      const messagesSha256 = messagesDigest(promptFor(state, command.place));
      const value = optimizer.ModelAnswered.fromPartial({ errorReason, errorMessage, messagesSha256 });
      return { $case: "modelAnswered", value };
    }
    case "evaluate":
      return {
        $case: "policyEvaluated",
        value: optimizer.PolicyEvaluated.fromPartial({ errorReason, errorMessage }),
      };
    case "summarize": {
      // Without a kind: not the program's fault.
      const failure = types.PolicyError.fromPartial({ message: `${errorReason}: ${errorMessage}`, step: -1n });
      const value = optimizer.TrajectoriesSummarized.fromPartial({ error: failure });
      return { $case: "trajectoriesSummarized", value };
    }
  }
}

async function complete(
  gateway: Gateway,
  state: LogState,
  { place, sampleIndex }: ModelCommand,
  call: PeerCall,
): Promise<optimizer.ModelAnswered> {
  const { runId, settings } = state;
  const messages = promptFor(state, place);
  const request = llm.CompleteRequest.fromPartial({
    model: settings.model,
    messages,
    sample: { namespace: `run-seed-${settings.seed}`, index: BigInt(sampleIndex) },
    cacheMode: llm.CacheMode.CACHE_MODE_USE,
    requestId: `${runId}/${place}`,
    place,
    runId,
    timeout: durationFromMs(settings.modelTimeoutMs),
    replayTolerance: settings.replayTolerance,
  });
  if (settings.sampling !== undefined) request.sampling = settings.sampling;
  const timeoutMs = settings.modelTimeoutMs + GATEWAY_SLACK_MS;
  const completion = await gateway.complete(request, { ...call, timeoutMs });
  return { completion, errorReason: "", errorMessage: "", messagesSha256: messagesDigest(messages) };
}

async function evaluate(
  service: Rollout,
  { runId, settings }: LogState,
  { place, source, seeds }: EvaluateCommand,
  call: PeerCall,
): Promise<optimizer.PolicyEvaluated> {
  const request = rollout.EvaluatePolicyRequest.fromPartial({
    environment: settings.environment,
    variant: settings.variant,
    policySource: source,
    seeds: [...seeds],
    requestId: `${runId}/${place}`,
    policyLifetime: settings.policyLifetime,
    limits: limitsMessage(POLICY_LIMITS),
    runId,
  });
  const { episodes, summary } = await service.evaluate(request, call);
  const answeredSeeds = episodes.map(({ seed }) => seed).join();
  if (answeredSeeds !== seeds.join())
    throw new FleetError(
      "INTERNAL",
      `the rollout service at ${service.target} answered the seeds ${answeredSeeds} where ${seeds.join()} were asked`,
    );
  return {
    episodes: [...episodes],
    stepCount: summary.stepCount,
    errorReason: "",
    errorMessage: "",
    fingerprintDigest: summary.fingerprint?.digest ?? "",
  };
}

async function summarize(
  service: Rollout,
  { runId, settings }: LogState,
  { place, feedbackSource, policySource, seeds }: SummarizeCommand,
  call: PeerCall,
): Promise<optimizer.TrajectoriesSummarized> {
  const request = rollout.SummarizeTrajectoriesRequest.fromPartial({
    environment: settings.environment,
    variant: settings.variant,
    feedbackSource,
    resimulation: {
      policySource,
      seeds: [...seeds],
      policyLifetime: settings.policyLifetime,
      limits: limitsMessage(POLICY_LIMITS),
    },
    requestId: `${runId}/${place}`,
    limits: limitsMessage(FEEDBACK_LIMITS),
    runId,
  });
  const { summaries, stepCount } = await service.summarize(request, call);
  const error = summaries.find((summary) => summary.error !== undefined)?.error;
  return optimizer.TrajectoriesSummarized.fromPartial({
    lines: error === undefined ? summaries.map(({ text }) => text) : [],
    stepCount,
    ...(error === undefined ? {} : { error }),
  });
}
