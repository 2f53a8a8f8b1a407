/**
 * Environments that are not the service's own: a serving sidecar is asked what they are.
 *
 * One in a folder is asked for each time, because its author may have edited it since; one of an installed package
 * (`gym:<id>`) once for each sidecar, whose imported code stays what it is. Refuses to answer from memory for the former:
 * results are found by revision.
 */
import { type rollout, sim } from "@promptpo/contracts";
import { FleetError, type Reason } from "@promptpo/service-kit";
import type { Catalogue } from "../../core/catalogue.ts";
import type { FleetWatch } from "./fleet-watch.ts";
import type { Seat, SidecarFleet } from "./sidecar-fleet.ts";
import type { SidecarLink } from "./sidecar-link.ts";

/** Sidecars may die while they are asked; a third time it is no accident. */
const ATTEMPTS_MOST = 3;
const INSTALLED = "gym:";
/** They speak of the sidecar and not of the environment: another one is asked. */
const LOSSES: ReadonlySet<Reason> = new Set(["SIDECAR_UNAVAILABLE", "SIDECAR_DIED", "SHUTTING_DOWN"]);

export class DescribedEnvironments {
  readonly #fleet: SidecarFleet;
  readonly #watch: FleetWatch;
  readonly #isBusy: (seat: Seat) => boolean;
  /** Of installed packages, by [id, variant]. */
  #known = new WeakMap<SidecarLink, Map<string, rollout.Environment>>();

  constructor(fleet: SidecarFleet, watch: FleetWatch, isBusy: (seat: Seat) => boolean) {
    this.#fleet = fleet;
    this.#watch = watch;
    this.#isBusy = isBusy;
  }

  /** Throws UNKNOWN_ENVIRONMENT, UNKNOWN_VARIANT; INVALID_ARGUMENT with the cause for one that is broken. */
  async find(catalogue: Catalogue, id: string, variant: string, signal: AbortSignal): Promise<rollout.Environment> {
    if (catalogue.revisionOf(id) === "") return catalogue.find(id, variant);
    for (let attempt = 1; ; attempt++) {
      const seat = await this.#watch.until(() => this.#quietest(), signal);
      try {
        return await this.#ask(seat.link, id, variant, signal);
      } catch (thrown) {
        if (signal.aborted) throw signal.reason;
        const error = FleetError.from(seat.link.gone.aborted ? seat.link.gone.reason : thrown, "SIDECAR_UNAVAILABLE");
        if (LOSSES.has(error.reason) && attempt < ATTEMPTS_MOST) continue;
        if (error.reason === "UNIMPLEMENTED") return catalogue.find(id, variant);
        // The service's own list knows what looks like it, unless it is gymnasium's names that are meant.
        const isOurs = !id.startsWith(INSTALLED) && catalogue.revisionOf(id) === undefined;
        if (error.reason === "UNKNOWN_ENVIRONMENT" && isOurs) return catalogue.find(id, variant);
        throw error;
      }
    }
  }

  /** After a sidecar found another revision than it had told. */
  forget(): void {
    this.#known = new WeakMap();
  }

  async #ask(link: SidecarLink, id: string, variant: string, signal: AbortSignal): Promise<rollout.Environment> {
    const known = this.#known.get(link) ?? new Map<string, rollout.Environment>();
    this.#known.set(link, known);
    const key = JSON.stringify([id, variant]);
    const kept = known.get(key);
    if (kept !== undefined) return kept;
    const request = sim.DescribeEnvironmentRequest.create({ environment: id, variant });
    const call = { signal: AbortSignal.any([signal, link.gone]) };
    const { environment } = await link.client.describeEnvironment(request, call);
    if (environment === undefined) throw new FleetError("INTERNAL", `a sidecar has nothing to say of ${id}`);
    if (id.startsWith(INSTALLED)) known.set(key, environment);
    return environment;
  }

  /** One that has nothing to do, if there is one: a description waits for the episode that runs. */
  #quietest(): Seat | undefined {
    const { seats } = this.#fleet;
    return seats.find((seat) => !this.#isBusy(seat)) ?? seats[0];
  }
}
