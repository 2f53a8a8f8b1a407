/**
 * Work for sidecars, as the dispatcher sees it: units to be cut into blocks, and how a block of them is run.
 */
import type { SidecarLink } from "../sidecars/sidecar-link.ts";

export interface Job {
  readonly tenant: string;
  /** For people: `seed 3 of NoiseWorld-0`. */
  describe(unit: number): string;
  /** The same for programs, in the metadata of an error: environment, seed, the hash of the policy. */
  evidence(unit: number): Readonly<Record<string, string>>;
  readonly family: string;
  readonly fingerprintDigest: string;
  readonly unitCount: number;
  /** Expected environment steps of one unit. */
  readonly unitCost: number;
  readonly done: ReadonlySet<number>;
  /** True: all units in one block, in order. */
  readonly whole: boolean;
  /** Longest silence within a block, where it is longer than the dispatcher's own. */
  readonly silenceMs?: number | undefined;
  /** Runs the units on the sidecar. Fails with the sidecar's error; ends early when the signal aborts. */
  run(link: SidecarLink, units: readonly number[], block: BlockRun): Promise<void>;
  /** The first block begins. */
  started?(): void;
}

export interface BlockRun {
  readonly signal: AbortSignal;
  /** The sidecar gave a sign of life. */
  alive(): void;
  /** A unit has ended. `keep` takes its result; if it throws, the job ends with that error. */
  done(unit: number, keep: () => Promise<void>): Promise<void>;
}
