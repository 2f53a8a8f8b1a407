/**
 * A sidecar that has shaken hands, and where such sidecars come from. The same for processes of ours and for remote ones.
 */
import type { sim } from "@promptpo/contracts";
import type { Client } from "@promptpo/service-kit";

export interface SidecarLink {
  readonly hello: sim.HandshakeResponse;
  readonly client: Client<sim.SimulatorService>;
  /** `host:port` at which clients reach its step stream. */
  readonly target: string;
  /** It ends when this service does. */
  readonly isOwn: boolean;
  /** Aborts when the sidecar is gone or given up; the reason is a FleetError that says why. */
  readonly gone: AbortSignal;
  /** Gives the sidecar up: whatever runs on it fails at once. A process is killed, a connection closed. */
  abandon(why: string): void;
  /** Ends it in peace: a process gets time to finish, then it is killed. Resolves when nothing is left of it. */
  close(): Promise<void>;
}

export interface SidecarSource {
  /** For people: `sidecar 0`, `10.0.0.7:7000`. */
  readonly name: string;
  /**
   * Starts or calls the sidecar and shakes hands. Fails with SIDECAR_UNAVAILABLE (worth another try), CANNOT_CONFINE or
   * VERSION_MISMATCH; nothing is left behind then.
   */
  open(signal: AbortSignal): Promise<SidecarLink>;
}
