// A candidate's id, `{run}/r{round}/c{index}`, and a run's id. Pure spelling: ids come from the plan, never from a clock.
import { sha256 } from "@promptpo/contracts";
import { candidateName } from "./place.ts";

export interface CandidateKey {
  readonly runId: string;
  readonly round: number;
  readonly index: number;
}

export function candidateId({ runId, round, index }: CandidateKey): string {
  return `${runId}/r${round}/${candidateName(index)}`;
}

/** The parts of an id; undefined when the text is none. `c3` and `c03` are the same candidate. */
export function parseCandidateId(text: string): CandidateKey | undefined {
  const match = /^(run-[0-9a-z]{1,40})\/r([1-9]\d{0,5})\/c(\d{1,6})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined || match[3] === undefined) return undefined;
  return { runId: match[1], round: Number(match[2]), index: Number(match[3]) };
}

/** Without letters and digits that are taken for one another (i, l, o, u). */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** `run-` and ten characters (50 bits) of the digest of `seed`: the same seed is the same id. */
export function runIdFrom(seed: string): string {
  const digits = BigInt(`0x${sha256(seed)}`);
  let id = "";
  for (let at = 0n; at < 10n; at += 1n) id += ALPHABET[Number((digits >> (5n * at)) & 31n)];
  return `run-${id}`;
}

/** The id that a creation with a request id has, so that a repeated creation finds its run. */
export function runIdOfRequest(tenant: string, requestId: string): string {
  return runIdFrom(JSON.stringify([tenant, requestId]));
}
