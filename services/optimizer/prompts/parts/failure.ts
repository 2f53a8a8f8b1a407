// What failed, in words for the program's author: kind, place, message, its own frames of the traceback.
import { types } from "@promptpo/contracts";
import { FEEDBACK_LIMITS, POLICY_LIMITS, type ProgramLimits, SUMMARY_BYTES_MOST } from "../../core/policy-limits.ts";
import { fenced } from "./fenced.ts";
import { counted, shown } from "./shown.ts";

export interface Failure {
  readonly error: types.PolicyError;
  /** Episodes that failed, of how many; undefined where none was run. */
  readonly episodes?: { readonly failed: number; readonly all: number } | undefined;
}

export function policyFailure({ error, episodes }: Failure): string {
  const where = isBeforeEpisodes(error.kind) ? "" : ` ${placeOf(error)}`;
  const sentences = [`${headline(error, "policy")}${where}.`, ...limitSentences(error, POLICY_LIMITS)];
  if (episodes !== undefined && episodes.all > 1 && !isBeforeEpisodes(error.kind))
    sentences.push(
      `It failed in ${episodes.failed} of ${counted(episodes.all, "episode")}; this is the first failure.`,
    );
  return [sentences.join(" "), ...details(error)].join("\n\n");
}

export function feedbackFailure(error: types.PolicyError): string {
  const where = isBeforeEpisodes(error.kind) ? "" : " while it summarized an episode";
  const sentences = [`${headline(error, "program")}${where}.`, ...limitSentences(error, FEEDBACK_LIMITS)];
  return [sentences.join(" "), ...details(error)].join("\n\n");
}

const { PolicyError_Kind: Kind } = types;

function isBeforeEpisodes(kind: types.PolicyError_Kind): boolean {
  return kind === Kind.KIND_SYNTAX || kind === Kind.KIND_NO_CLASS;
}

function placeOf({ seed, step }: types.PolicyError): string {
  const episode = `in the episode of seed ${seed}`;
  return step < 0n ? `before the first step, ${episode}` : `at step ${step} (counted from 0), ${episode}`;
}

function headline({ kind, line, column }: types.PolicyError, noun: string): string {
  switch (kind) {
    case Kind.KIND_SYNTAX:
      return `The code does not parse${line > 0 ? ` (line ${line}${column > 0 ? `, column ${column}` : ""})` : ""}`;
    case Kind.KIND_NO_CLASS:
      return "There is no class that could be used";
    case Kind.KIND_EXCEPTION:
      return `The ${noun} raised an exception`;
    case Kind.KIND_BAD_ACTION:
      return "The policy returned something that is no action of this environment";
    case Kind.KIND_TIMEOUT:
      return `The ${noun} took too long`;
    case Kind.KIND_CPU:
      return `The ${noun} used too much CPU time`;
    case Kind.KIND_MEMORY:
      return `The ${noun} used too much memory`;
    case Kind.KIND_ESCAPE_ATTEMPT:
      return `The ${noun} tried something that is not allowed`;
    case Kind.KIND_BAD_SUMMARY:
      return "The program did not return a str that can be used";
    default:
      return `The ${noun}'s process died`;
  }
}

/** The violated limit with its numbers. */
function limitSentences({ kind }: types.PolicyError, limits: ProgramLimits): string[] {
  switch (kind) {
    case Kind.KIND_TIMEOUT:
      return [`An episode may take ${limits.episodeWallS} s of wall time at most.`];
    case Kind.KIND_CPU:
      return [
        `The limits are ${limits.callCpuS} s of CPU time for one call and ${limits.episodeCpuS} s for an episode.`,
      ];
    case Kind.KIND_MEMORY:
      return [`The limit is ${shown(limits.memoryBytes / 2 ** 30)} GiB.`];
    case Kind.KIND_ESCAPE_ATTEMPT:
      return ["Files, network, other processes and threads are not."];
    case Kind.KIND_BAD_SUMMARY:
      return [`It has at most ${SUMMARY_BYTES_MOST} bytes.`];
    default:
      return [];
  }
}

function details({ message, traceback }: types.PolicyError): string[] {
  // The first line keeps its indentation: carets below point into it.
  const trace = traceback.replace(/^\s*\n|\s+$/g, "");
  const text = message.trim();
  return [
    // A traceback ends with the exception's own line, which the message repeats.
    ...(text === "" || trace.includes(text) ? [] : [text]),
    ...(trace === "" ? [] : [fenced(trace, "text")]),
  ];
}
