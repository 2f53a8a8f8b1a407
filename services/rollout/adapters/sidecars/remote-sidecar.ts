/**
 * A sidecar that somebody else runs (a container of the pod), reached by address.
 *
 * A lost connection shows when a call fails; the slot then opens it anew.
 */
import { sim } from "@promptpo/contracts";
import { createClient, FleetError } from "@promptpo/service-kit";
import { type HandshakeTerms, shakeHands } from "./shake-hands.ts";
import type { SidecarLink, SidecarSource } from "./sidecar-link.ts";

export interface RemoteOptions {
  /** `host:port`. Plain text: a sidecar listens within its pod and speaks no TLS. */
  readonly target: string;
  /** `host:port` at which clients of sessions reach it; default `target`. */
  readonly advertise?: string | undefined;
  readonly terms: Pick<HandshakeTerms, "timeoutMs" | "unconfined">;
}

export class RemoteSidecar implements SidecarSource {
  readonly name: string;
  readonly #options: RemoteOptions;

  constructor(options: RemoteOptions) {
    this.name = options.target;
    this.#options = options;
  }

  async open(signal: AbortSignal): Promise<SidecarLink> {
    const client = createClient(sim.SimulatorService, { target: this.name, unavailable: "SIDECAR_UNAVAILABLE" });
    const gone = new AbortController();
    try {
      const hello = await shakeHands(client, { ...this.#options.terms, name: this.name, signal });
      const abandon = (why: string) => {
        gone.abort(new FleetError("SIDECAR_UNAVAILABLE", `${this.name}: ${why}`));
        client.close();
      };
      return {
        hello,
        client,
        target: this.#options.advertise ?? this.name,
        isOwn: false,
        gone: gone.signal,
        abandon,
        close: async () => abandon("the connection was closed"),
      };
    } catch (error) {
      client.close();
      throw FleetError.from(error, "SIDECAR_UNAVAILABLE");
    }
  }
}
