/**
 * What sidecars are asked for where the environment's own code may change: its id with the revision that was looked up.
 *
 * A sidecar that has come to another revision refuses with CONFLICT instead of answering for the wrong one. And what
 * episodes must have in common to be parts of one evaluation. Environments that come with the service have no revision.
 */
import type { rollout } from "@promptpo/contracts";

type Revised = Pick<rollout.Environment, "id" | "revision">;

export function pinnedId({ id, revision }: Revised): string {
  return revision === "" ? id : `${id}@${revision}`;
}

/** Numeric fingerprint and revision in one. */
export function commonDigest(fingerprintDigest: string, { revision }: Pick<Revised, "revision">): string {
  return revision === "" ? fingerprintDigest : `${fingerprintDigest}, ${revision}`;
}
