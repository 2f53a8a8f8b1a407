/**
 * The first words with a sidecar: which contract, which fingerprint, which environments, how policies are confined.
 *
 * Fails closed: a sidecar that cannot confine policies is refused unless the operator said otherwise.
 */
import { sim } from "@promptpo/contracts";
import { type Client, FleetError } from "@promptpo/service-kit";

const PROTOCOL_VERSION = 1;

export interface HandshakeTerms {
  readonly name: string;
  /** Milliseconds for the answer. */
  readonly timeoutMs: number;
  /** Whether policies may run unconfined. */
  readonly unconfined: boolean;
  readonly signal: AbortSignal;
}

export async function shakeHands(
  client: Client<sim.SimulatorService>,
  { name, timeoutMs, unconfined, signal }: HandshakeTerms,
): Promise<sim.HandshakeResponse> {
  const hello = await client.handshake(sim.HandshakeRequest.create({ protocolVersion: PROTOCOL_VERSION }), {
    signal,
    timeoutMs,
  });
  if (hello.protocolVersion !== PROTOCOL_VERSION) {
    throw new FleetError(
      "VERSION_MISMATCH",
      `${name} speaks version ${hello.protocolVersion} of the sidecar contract, this service version ${PROTOCOL_VERSION}; install the same release on both sides`,
    );
  }
  if (hello.confinement?.confined !== true && !unconfined) {
    const problem = hello.confinement?.problem ?? "";
    throw new FleetError(
      "CANNOT_CONFINE",
      `${name} can not confine policies${problem === "" ? "" : `: ${problem}`}. Run it where seccomp and Landlock work, or set PROMPTPO_UNCONFINED=1 if every policy is trusted`,
      { metadata: { problem } },
    );
  }
  if (hello.fingerprint === undefined || hello.fingerprint.digest === "") {
    throw new FleetError("SIDECAR_UNAVAILABLE", `${name} does not tell its numeric fingerprint`);
  }
  return hello;
}
