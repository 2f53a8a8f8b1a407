// The document that `promptpo eval --json` prints: one line, exactly these fields, every number to the last bit. Pure.
import type { rollout, types } from "@promptpo/contracts";
import { types as typeMessages } from "@promptpo/contracts";
import { type ExactJson, exactJson } from "./exact-json.ts";
import { enumWord } from "./format.ts";

export function evalDocument(
  environment: string,
  episodes: readonly types.EpisodeResult[],
  summary: rollout.EvaluationSummary,
): string {
  return exactJson({
    environment,
    episodes: episodes.map((episode) => ({
      seed: episode.seed,
      return: episode.returnValue,
      success: episode.success,
      length: episode.length,
      terminated: episode.terminated,
      truncated: episode.truncated,
      error: errorOf(episode.error),
    })),
    mean_return: summary.meanReturn,
    success_rate: summary.successRate,
    versions: versionsOf(summary.fingerprint),
  });
}

function errorOf(error: types.PolicyError | undefined): ExactJson {
  if (error === undefined) return null;
  return {
    kind: errorKind(error),
    message: error.message,
    step: error.step,
    line: error.line,
    column: error.column,
    traceback: error.traceback,
  };
}

/** `SYNTAX`, `BAD_ACTION`, ... */
export function errorKind(error: types.PolicyError): string {
  return enumWord(typeMessages.policyError_KindToJSON(error.kind), "KIND").toUpperCase().replaceAll(" ", "_");
}

function versionsOf(fingerprint: types.Fingerprint | undefined): ExactJson {
  if (fingerprint === undefined) return {};
  const names = Object.keys(fingerprint.packages).sort();
  return Object.fromEntries(names.map((name) => [name, fingerprint.packages[name] ?? ""]));
}
