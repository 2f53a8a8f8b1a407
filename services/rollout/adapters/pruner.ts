/**
 * Removes old results and artifacts in the background, now and then. Owns the timer; a failure is logged and tried again
 * at the next turn.
 */
import type { Logger } from "@promptpo/service-kit";
import type { ArtifactFolder } from "./artifact-folder.ts";

export interface PruneSettings {
  readonly resultDays: number;
  readonly cacheRows: number;
  /** Days that an artifact is kept although no kept evaluation refers to it; 0: for ever. */
  readonly artifactDays: number;
  /** Milliseconds between two turns. */
  readonly everyMs: number;
}

export interface PrunedTables {
  prune<T>(
    limits: Pick<PruneSettings, "resultDays" | "cacheRows">,
    more: (referredOf: (artifacts: readonly string[]) => Promise<Set<string>>) => Promise<T>,
  ): Promise<{ rows: object; more: T } | undefined>;
}

/** A fleet that is up for minutes at a time is pruned as well. */
const FIRST_MS = 60_000;
const DAY_MS = 86_400_000;

export class Pruner {
  readonly #tables: PrunedTables;
  readonly #artifacts: ArtifactFolder;
  readonly #settings: PruneSettings;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(tables: PrunedTables, artifacts: ArtifactFolder, settings: PruneSettings, log: Logger) {
    this.#tables = tables;
    this.#artifacts = artifacts;
    this.#settings = settings;
    this.#log = log;
    this.#schedule(Math.min(FIRST_MS, settings.everyMs));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#turn;
  }

  #schedule(inMs: number): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#turn = this.#prune().finally(() => this.#schedule(this.#settings.everyMs));
    }, inMs).unref();
  }

  async #prune(): Promise<void> {
    try {
      const pruned = await this.#tables.prune(this.#settings, (referredOf) => this.#pruneArtifacts(referredOf));
      // Another replica is at it.
      if (pruned === undefined) return;
      const removed = { ...pruned.rows, artifacts: pruned.more };
      if (Object.values(removed).some((count) => count > 0)) this.#log.info({ removed }, "old results were removed");
    } catch (error) {
      this.#log.warn({ err: error }, "old results could not be removed; it is tried again");
    }
  }

  async #pruneArtifacts(referredOf: (artifacts: readonly string[]) => Promise<Set<string>>): Promise<number> {
    const { artifactDays } = this.#settings;
    if (artifactDays === 0) return 0;
    const before = Date.now() - artifactDays * DAY_MS;
    let count = 0;
    for await (const old of this.#artifacts.unusedSince(before)) {
      if (this.#isStopped) break;
      const kept = await referredOf(old);
      for (const hash of old) if (!kept.has(hash)) count += await this.#artifacts.removeUnused(hash, before);
    }
    return count;
  }
}
