// The starter code of a policy and the rules under which it is run. What is said here is what the sidecar enforces:
// numbers come from the limits that are sent to it, shapes from the environment.
import { type rollout, types } from "@promptpo/contracts";
import { POLICY_LIMITS } from "../../core/policy-limits.ts";
import type { Settings } from "../../core/settings.ts";
import { fenced } from "./fenced.ts";
import { counted, shown } from "./shown.ts";

export function policyCodeSection(environment: rollout.Environment, settings: Settings): string {
  const { policyClass } = environment;
  return [
    "## Your code",
    "Start from this:",
    fenced(starter(environment)),
    "How it is run:",
    [
      lifetimeRule(policyClass, settings.policyLifetime),
      `- \`act\` is called once a step and must return ${returned(environment.actionSpace)}.`,
      "- `obs` has the fields described above as attributes and nothing else. Its arrays are read-only: copy one before you change it.",
      `- ${IMPORTS}`,
      `- Limits: ${POLICY_LIMITS.callCpuS} s of CPU time for one call of \`act\`, ${POLICY_LIMITS.episodeCpuS} s for a whole episode (loading the code and \`__init__\` included), ${memory(POLICY_LIMITS.memoryBytes)} of memory.`,
      `- A policy is evaluated on ${counted(settings.trainSeeds.length, "episode")}. An exception, an action that is not as described, or a limit that is passed makes the whole policy fail, in whichever step of whichever episode it happens.`,
    ].join("\n"),
  ].join("\n\n");
}

export const IMPORTS =
  "It can import NumPy, SciPy and the standard library of Python (3.11 or newer), nothing else. Use no files, no network, no other processes and no threads.";

function starter({ policyClass, observationFields, actionSpace }: rollout.Environment): string {
  const fields = observationFields.map(({ name, dtype, shape }) => `        # obs.${name}: ${fieldType(dtype, shape)}`);
  return [
    "import numpy as np",
    "",
    "",
    `class ${policyClass}:`,
    "    def __init__(self):",
    "        # Called without arguments, before the first step.",
    "        pass",
    "",
    "    def act(self, obs):",
    ...fields,
    `        # Returns ${returned(actionSpace)}.`,
    "        raise NotImplementedError",
  ].join("\n");
}

function fieldType(dtype: string, shape: readonly bigint[]): string {
  return shape.length === 0 ? `${dtype}, one number` : `${dtype} array of shape ${tuple(shape)}`;
}

function returned(space: rollout.ActionSpace | undefined): string {
  if (space === undefined) return "an action";
  if (space.kind === "discrete") return `one integer from 0 to ${space.n - 1n}`;
  return `a NumPy array of shape ${tuple(space.shape)} with finite numbers${bounds(space)}`;
}

/** Said where all entries have the same bounds; else the implementation text has them. */
function bounds({ low, high }: rollout.ActionSpace): string {
  const [first, last] = [low[0], high[0]];
  if (first === undefined || last === undefined || !Number.isFinite(first) || !Number.isFinite(last)) return "";
  if (low.some((value) => value !== first) || high.some((value) => value !== last)) return "";
  return `, nominally from ${shown(first)} to ${shown(last)}`;
}

function lifetimeRule(policyClass: string, lifetime: types.PolicyLifetime): string {
  if (lifetime === types.PolicyLifetime.POLICY_LIFETIME_EVALUATION)
    return `- One \`${policyClass}()\` is made and acts in all episodes of an evaluation, one after another. Nothing but the observation tells it that a new episode has begun.`;
  return `- A new \`${policyClass}()\` is made for every episode. Within the episode it may remember what it likes; nothing is carried over to another one.`;
}

function tuple(shape: readonly bigint[]): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}

function memory(bytes: number): string {
  return bytes >= 2 ** 30 ? `${shown(bytes / 2 ** 30)} GiB` : `${shown(bytes / 2 ** 20)} MiB`;
}
