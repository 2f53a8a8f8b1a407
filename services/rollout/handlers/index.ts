/**
 * The handlers of `RolloutService`, by method.
 */
import type { rollout } from "@promptpo/contracts";
import type { Handlers } from "@promptpo/service-kit";
import { batchEvaluate } from "./batch-evaluate.ts";
import { cancelEvaluation } from "./cancel-evaluation.ts";
import { closeEnvSession } from "./close-env-session.ts";
import { createEnvSession } from "./create-env-session.ts";
import { evaluatePolicy } from "./evaluate-policy.ts";
import { getArtifact } from "./get-artifact.ts";
import { getEnvironment } from "./get-environment.ts";
import { getEvaluation } from "./get-evaluation.ts";
import { listEnvironments } from "./list-environments.ts";
import type { Ports } from "./ports.ts";
import { renderEpisode } from "./render-episode.ts";
import { renewEnvSession } from "./renew-env-session.ts";
import type { RunningEvaluations } from "./running-evaluations.ts";
import type { SessionPorts } from "./session-ports.ts";
import type { SessionWork } from "./session-work.ts";
import { summarizeTrajectories } from "./summarize-trajectories.ts";

export function rolloutHandlers(
  ports: Ports,
  running: RunningEvaluations,
  sessions: { readonly ports: SessionPorts; readonly work: SessionWork },
): Partial<Handlers<rollout.RolloutServiceService>> {
  return {
    listEnvironments: listEnvironments(ports),
    getEnvironment: getEnvironment(ports),
    evaluatePolicy: evaluatePolicy(running),
    batchEvaluate: batchEvaluate(running),
    getEvaluation: getEvaluation(ports, running),
    cancelEvaluation: cancelEvaluation(ports, running),
    summarizeTrajectories: summarizeTrajectories(ports),
    getArtifact: getArtifact(ports),
    renderEpisode: renderEpisode(ports),
    createEnvSession: createEnvSession(sessions.ports, sessions.work),
    renewEnvSession: renewEnvSession(sessions.ports, sessions.work),
    closeEnvSession: closeEnvSession(sessions.ports, sessions.work),
  };
}
