// What a policy and a feedback program may spend. The prompts say these numbers and the rollout service is sent them,
// so that what a model reads is what holds.
import { durationFromMs, type rollout } from "@promptpo/contracts";

export interface ProgramLimits {
  /** CPU time of one call: `act` of a policy, `summarize_trajectory` of a feedback program. */
  readonly callCpuS: number;
  /** CPU time of an episode, loading and construction included. */
  readonly episodeCpuS: number;
  /** Backstop of wall time for an episode; generous, so that a busy machine fails nobody. */
  readonly episodeWallS: number;
  readonly memoryBytes: number;
}

export const POLICY_LIMITS: ProgramLimits = {
  callCpuS: 2,
  episodeCpuS: 120,
  episodeWallS: 900,
  memoryBytes: 2 ** 30,
};

/** One call sees a whole episode, so it may take longer than a policy's step. */
export const FEEDBACK_LIMITS: ProgramLimits = { ...POLICY_LIMITS, callCpuS: 10 };

/** Longest text that a feedback program may return for an episode, in bytes of UTF-8; the sidecar's limit is 4096. */
export const SUMMARY_BYTES_MOST = 4_000;

export function limitsMessage(limits: ProgramLimits): rollout.PolicyLimits {
  return {
    actionCpu: durationFromMs(limits.callCpuS * 1000),
    episodeCpu: durationFromMs(limits.episodeCpuS * 1000),
    episodeWall: durationFromMs(limits.episodeWallS * 1000),
    memoryBytes: BigInt(limits.memoryBytes),
  };
}
