// Where each service keeps its data: a database of the embedded server, or what the user names instead, one URL a service
// or one server on which the fleet makes the databases.
import { join } from "node:path";
import pg from "pg";
import { SERVICES, type ServiceName } from "./fleet-state.ts";
import type { FleetLog } from "./log.ts";
import { startEmbeddedPostgres } from "./postgres/index.ts";
import { FleetProblem } from "./problem.ts";
import type { Environment } from "./service-environment.ts";

export interface Databases {
  /** Holds a password: for the service's environment alone. */
  url(service: ServiceName): string;
  /** Pid of the embedded server; undefined when there is none, or it is being replaced. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

const variableOf = (service: ServiceName): string => `PROMPTPO_${service.toUpperCase()}_DATABASE_URL`;
const databaseOf = (service: ServiceName): string => `promptpo_${service}`;

export async function openDatabases(
  folder: string,
  env: Environment,
  log: FleetLog,
  signal?: AbortSignal,
): Promise<Databases> {
  const named = new Map<ServiceName, string>();
  for (const service of SERVICES) {
    const url = env[variableOf(service)];
    if (url !== undefined && url !== "") named.set(service, url);
  }
  const server = env["DATABASE_URL"];
  if (server !== undefined && server !== "") {
    for (const service of SERVICES)
      if (!named.has(service)) named.set(service, await made(server, databaseOf(service)));
  }
  const rest = SERVICES.filter((service) => !named.has(service));
  const embedded =
    rest.length === 0
      ? undefined
      : await startEmbeddedPostgres({
          folder: join(folder, "postgres"),
          log,
          ...(signal === undefined ? {} : { signal }),
        });
  try {
    for (const service of rest) await embedded?.createDatabase(databaseOf(service));
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
  return {
    url: (service) => named.get(service) ?? embedded?.url(databaseOf(service)) ?? "",
    get pid() {
      return embedded?.pid;
    },
    stop: async () => embedded?.stop(),
  };
}

/** Makes the database on the user's server where it is missing. Returns its URL. */
async function made(server: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: server, connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
    const existing = await client.query("select 1 from pg_database where datname = $1", [name]);
    if (existing.rowCount === 0) await client.query(`create database "${name}"`);
  } catch (cause) {
    throw new FleetProblem(
      `the server of DATABASE_URL cannot be used: ${cause instanceof Error ? cause.message : "no answer"}`,
      `Check that it runs and that its user may create databases, or name one database a service: ${SERVICES.map(variableOf).join(", ")}.`,
      { cause },
    );
  } finally {
    await client.end().catch(() => {});
  }
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
