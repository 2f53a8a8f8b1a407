/**
 * The name of an exact episode result: a hash over everything that the episode is a function of.
 *
 * Two equal keys mean equal bits. Whatever could change a bit (or the meaning of one, as limits and confinement do) is
 * in; who asked, when and on which sidecar is out.
 */
import { sha256, sha256OfCanonical } from "@promptpo/contracts";
import type { EvaluationSpec } from "./evaluation-spec.ts";

/** Raised when the meaning of a part changes: old entries are then never found again. */
const VERSION = 1;

export interface ContentCircumstances {
  /** The variant with the default resolved. */
  readonly variant: string;
  /** Of the environment's own code; "" for those that come with the service. */
  readonly revision: string;
  readonly fingerprintDigest: string;
  readonly confined: boolean;
}

/** One key an episode, in the order of the seeds. Lower-case hex. */
export function contentKeys(
  spec: EvaluationSpec,
  { variant, revision, fingerprintDigest, confined }: ContentCircumstances,
): string[] {
  const sourceSha256 = sha256(spec.policySource);
  // A policy object that lives on carries state from the seeds before: a chain of hashes stands for all of them.
  let before = "";
  return spec.seeds.map((seed) => {
    const key = sha256OfCanonical({
      version: VERSION,
      environment: spec.environment,
      variant,
      ...(revision === "" ? {} : { revision }),
      source_sha256: sourceSha256,
      seed: String(seed),
      before: spec.sharedPolicy ? `after ${before}` : "nothing",
      limits: { ...spec.limits },
      // Only where it is not the first one that there was: keys of older entries stay as they are.
      ...(spec.captured.has(seed) && spec.captureFormat !== "NPZ" ? { capture_format: spec.captureFormat } : {}),
      capture_stride: spec.captured.has(seed) ? spec.captureStride : null,
      fingerprint: fingerprintDigest,
      confined,
    });
    if (spec.sharedPolicy) before = sha256(`${before}/${seed}`);
    return key;
  });
}
