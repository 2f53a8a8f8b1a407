/**
 * Which numeric fingerprint the service answers for, when sidecars disagree. Pure.
 *
 * Results must not depend on which sidecar ran them, so exactly one fingerprint is used: the one of most sidecars; at a
 * draw the one in use, so that a newcomer never unseats it alone; else that of the first sidecar.
 */

export interface Vote {
  /** Position of the sidecar in the service's list. */
  readonly sidecar: number;
  readonly digest: string;
}

export function agreeOnFingerprint(votes: readonly Vote[], inUse: string | undefined): string | undefined {
  const ordered = votes.toSorted((a, b) => a.sidecar - b.sidecar);
  const counts = new Map<string, number>();
  for (const { digest } of ordered) counts.set(digest, (counts.get(digest) ?? 0) + 1);
  let best: string | undefined;
  // A Map lists keys in order of first insertion, so a draw goes to the first sidecar's.
  for (const [digest, count] of counts) {
    const most = best === undefined ? 0 : (counts.get(best) ?? 0);
    if (count > most || (count === most && digest === inUse)) best = digest;
  }
  return best;
}
