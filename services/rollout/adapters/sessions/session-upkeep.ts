/**
 * What the keeper of sessions needs of their records. Types only.
 */

export interface KnownSession {
  readonly tenant: string;
  readonly family: string;
  readonly isClosed: boolean;
  readonly leaseMs: number;
}

export interface SweptSession {
  readonly id: string;
  readonly tenant: string;
  readonly family: string;
}

export interface SessionUpkeep {
  /** Sessions that sidecars reported, with what is left of their lease; answers what is known of each. */
  seen(leftMs: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, KnownSession>>;
  /** Shards of these sessions are being placed by this replica at this moment. */
  placing(ids: readonly string[]): Promise<void>;
  /** Ends what has lapsed, and forgets what ended long ago. `heard`: sidecars whose reports are fresh. */
  sweep(heard: readonly string[]): Promise<SweptSession[]>;
  /** Ends sessions all of whose sidecars are among these. */
  endAllOn(targets: readonly string[]): Promise<void>;
}
