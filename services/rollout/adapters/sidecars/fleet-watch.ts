/**
 * Waiting for the fleet to have something: a sidecar that serves, what the sidecars agreed to be.
 *
 * Gives up when nothing can come (the fleet's own reason), when its time is over, or when the caller leaves.
 */
import type { SidecarFleet } from "./sidecar-fleet.ts";

export class FleetWatch {
  readonly #fleet: SidecarFleet;
  readonly #waitMs: number;
  readonly #waiting = new Set<() => void>();

  constructor(fleet: SidecarFleet, waitMs: number) {
    this.#fleet = fleet;
    this.#waitMs = waitMs;
    fleet.listen({
      changed: () => {
        for (const look of [...this.#waiting]) look();
      },
      sidecarLost: () => {},
      fingerprintDisagreement: () => {},
    });
  }

  /** What `find` finds, now or after a change of the fleet. */
  until<T>(find: () => T | undefined, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        this.#waiting.delete(look);
        clearTimeout(timer);
        signal.removeEventListener("abort", leave);
        settle();
      };
      const leave = () => finish(() => reject(signal.reason));
      const look = () => {
        const found = find();
        const hopeless = this.#fleet.hopeless;
        if (found !== undefined) finish(() => resolve(found));
        else if (hopeless !== undefined) finish(() => reject(hopeless));
      };
      const timer = setTimeout(() => finish(() => reject(this.#fleet.absence)), this.#waitMs);
      this.#waiting.add(look);
      signal.addEventListener("abort", leave, { once: true });
      if (signal.aborted) leave();
      else look();
    });
  }
}
