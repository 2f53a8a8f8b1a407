/**
 * LISTEN for a whole database object: one connection of its own, kept up.
 *
 * Owns that connection and which channels it listens to. It promises that a listener is called after every loss, not
 * that it hears every payload.
 */
import pg from "pg";
import type { Logger } from "../logs/create-logger.ts";
import { pause } from "../rpc/until-aborted.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

type Listener = (payload: string) => void;

export class Notifications {
  readonly #config: pg.ClientConfig;
  readonly #log: Logger;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #stop = new AbortController();
  #connection: Promise<pg.Client> | undefined;

  constructor(config: pg.ClientConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
  }

  async listen(channel: string, listener: Listener): Promise<AsyncDisposable> {
    let listeners = this.#listeners.get(channel);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(channel, listeners);
    }
    listeners.add(listener);
    const stop = async (): Promise<void> => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      this.#listeners.delete(channel);
      const client = await this.#connection?.catch(() => undefined);
      // A broken connection listens to nothing any more, and the next one knows the channels that are left.
      await client?.query(`unlisten ${pg.escapeIdentifier(channel)}`).catch(() => undefined);
    };
    try {
      this.#connection ??= this.#connect();
      await (await this.#connection).query(`listen ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(channel);
      throw error;
    }
    return { [Symbol.asyncDispose]: stop };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#listeners.clear();
    const client = await this.#connection?.catch(() => undefined);
    await client?.end().catch(() => undefined);
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client(this.#config);
    let lost = false;
    const onLoss = (error?: unknown): void => {
      if (lost) return;
      lost = true;
      if (this.#stop.signal.aborted) return;
      this.#log.warn({ err: error }, "the connection that listens for notifications broke; connecting again");
      this.#connection = this.#reconnect();
      this.#connection.catch(() => undefined);
    };
    client.on("notification", ({ channel, payload }) => this.#tell(channel, payload ?? ""));
    try {
      await client.connect();
      for (const channel of this.#listeners.keys()) await client.query(`listen ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      client.on("error", () => undefined);
      client.end().catch(() => undefined);
      this.#connection = undefined;
      throw error;
    }
    client.on("error", onLoss);
    client.on("end", onLoss);
    return client;
  }

  async #reconnect(): Promise<pg.Client> {
    for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(LONGEST_PAUSE_MS, wait * 2)) {
      await pause(wait, this.#stop.signal);
      try {
        const client = await this.#connect();
        // Notifications of the time between are lost.
        for (const channel of this.#listeners.keys()) this.#tell(channel, "");
        return client;
      } catch {
        // Still away; the loss was logged, and the pool's users tell the rest.
      }
    }
  }

  #tell(channel: string, payload: string): void {
    for (const listener of this.#listeners.get(channel) ?? []) {
      try {
        listener(payload);
      } catch (error) {
        this.#log.error({ err: error, channel }, "a listener for notifications failed");
      }
    }
  }
}
