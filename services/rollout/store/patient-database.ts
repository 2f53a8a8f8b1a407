/**
 * A database that waits out its server's restart: whatever a store of this service says can be said twice.
 *
 * Every statement of these stores is idempotent, so one whose connection broke, committed or not, is sent again. An
 * evaluation then loses seconds instead of its caller.
 */
import { type Database, retrying } from "@promptpo/service-kit";

/** A server that was killed is back within a second; one that is away for longer is somebody's to repair. */
const PATIENCE_MS = 15_000;

export function patientDatabase(database: Database): Database {
  const patiently = <T>(work: () => Promise<T>) =>
    retrying(work, {
      timeoutMs: PATIENCE_MS,
      longestPauseMs: 1_000,
      retryable: ({ reason }) => reason === "DATABASE_UNAVAILABLE" || reason === "CONFLICT",
    });
  return {
    query: (text, values) => patiently(() => database.query(text, values)),
    transaction: (work) => patiently(() => database.transaction(work)),
    listen: (channel, onNotify) => patiently(() => database.listen(channel, onNotify)),
    // Asked about once a second: the answer is wanted now.
    healthy: () => database.healthy(),
    close: () => database.close(),
    [Symbol.asyncDispose]: () => database.close(),
  };
}
