/**
 * `GetArtifact`: an artifact's bytes from an offset on, in pieces; the first message says what it is.
 *
 * Whoever knows the hash may read: it is as hard to guess as a token.
 */
import { rollout } from "@promptpo/contracts";
import { FleetError, type Handlers } from "@promptpo/service-kit";
import { isSha256 } from "../core/summary-spec.ts";
import type { Ports } from "./ports.ts";

export function getArtifact({
  artifacts,
}: Pick<Ports, "artifacts">): Handlers<rollout.RolloutServiceService>["getArtifact"] {
  return async function* ({ sha256, offset }) {
    if (!isSha256(sha256)) throw invalid("sha256", "must be 64 lower-case hex digits");
    const artifact = await artifacts.describe(sha256);
    if (offset < 0n || offset > artifact.sizeBytes) {
      throw invalid("offset", `is ${offset}; the artifact has ${artifact.sizeBytes} bytes`);
    }
    yield rollout.GetArtifactResponse.fromPartial({ artifact });
    for await (const data of artifacts.read(sha256, Number(offset))) {
      yield rollout.GetArtifactResponse.fromPartial({ data });
    }
  };
}

function invalid(field: string, description: string): FleetError {
  return new FleetError("INVALID_ARGUMENT", `${field} ${description}`, { violations: [{ field, description }] });
}
