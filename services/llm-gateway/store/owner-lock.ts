/**
 * This process's session advisory lock: the sign by which other replicas know that the rows it owns are being worked on.
 *
 * The server frees it the moment the connection dies, at once after SIGKILL; TCP keepalive bounds a machine that is gone.
 * A lost connection is made again at once, so that the lock is back before others believe that we are dead.
 */
import { randomInt } from "node:crypto";
import type { Logger } from "@promptpo/service-kit";
import pg from "pg";

/** classid of the gateways' locks: "PPOG". objid is the owner. */
export const OWNER_LOCK_CLASS = 0x50504f47;

const OWNER_MOST = 2 ** 31 - 1;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 250;

export interface OwnerLock extends AsyncDisposable {
  readonly owner: number;
  /** Whether the lock is held now. */
  held(): boolean;
  release(): Promise<void>;
}

export async function holdOwnerLock(options: { readonly url: string; readonly log: Logger }): Promise<OwnerLock> {
  let client: pg.Client | undefined;
  let closed = false;
  let wake = (): void => undefined;

  const connect = async (owner: number): Promise<boolean> => {
    const next = new pg.Client({
      connectionString: options.url,
      application_name: "llm-gateway owner",
      keepAlive: true,
      keepAliveInitialDelayMillis: 5_000,
      connectionTimeoutMillis: 5_000,
    });
    next.on("error", () => undefined); // "end" follows and is what counts.
    try {
      await next.connect();
      const { rows } = await next.query<{ taken: boolean }>("select pg_try_advisory_lock($1, $2) as taken", [
        OWNER_LOCK_CLASS,
        owner,
      ]);
      if (rows[0]?.taken !== true || closed) {
        await next.end();
        return false;
      }
    } catch (error) {
      await next.end().catch(() => undefined);
      throw error;
    }
    client = next;
    next.once("end", () => {
      client = undefined;
      if (!closed) void keep(owner);
    });
    return true;
  };

  const keep = async (owner: number): Promise<void> => {
    options.log.warn("the connection that holds this process's lock is gone; taking it again");
    for (let pause = FIRST_PAUSE_MS; !closed; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        // False: the server has not noticed yet that the old connection is dead.
        if (await connect(owner)) return;
      } catch {
        // The database is still away.
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pause);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };

  let owner = randomInt(1, OWNER_MOST);
  while (!(await connect(owner))) owner = randomInt(1, OWNER_MOST);
  const release = async (): Promise<void> => {
    closed = true;
    wake();
    await client?.end();
  };
  return { owner, held: () => client !== undefined, release, [Symbol.asyncDispose]: release };
}
