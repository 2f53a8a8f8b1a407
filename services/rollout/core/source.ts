/**
 * How long a policy's or feedback program's source may be. What is in it is the sidecar's business: a source that does
 * not parse is the candidate's result, not the caller's fault.
 */
import { FleetError } from "@promptpo/service-kit/errors.ts";

/** The sidecar refuses the same: a policy written by a model has some 10 kB, beyond this the compiler is the attack. */
export const SOURCE_BYTES_MOST = 2 ** 20;

/** Throws POLICY_TOO_LARGE. `field` names the field of the request. */
export function refuseLongSource(source: string, field: string): void {
  const bytes = Buffer.byteLength(source, "utf8");
  if (bytes <= SOURCE_BYTES_MOST) return;
  const why = `has ${bytes} bytes of UTF-8; at most ${SOURCE_BYTES_MOST} are taken`;
  throw new FleetError("POLICY_TOO_LARGE", `${field} ${why}. Shorten it.`, {
    violations: [{ field, description: why }],
    metadata: { size_bytes: String(bytes), limit_bytes: String(SOURCE_BYTES_MOST) },
  });
}
