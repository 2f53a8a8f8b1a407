// vitest's globalSetup: one database server for all test files of a run. Files that run alone start
// their own (testing.ts), so this is only about speed.
import { privatePostgres, SHARED_SERVER } from "./testing.ts";

export async function setup(): Promise<() => Promise<void>> {
  if (process.env[SHARED_SERVER]) return async () => {};
  const postgres = await privatePostgres();
  process.env[SHARED_SERVER] = postgres.url("postgres");
  return async () => {
    delete process.env[SHARED_SERVER];
    await postgres.stop();
  };
}

export default setup;
