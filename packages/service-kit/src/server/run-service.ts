/**
 * A service's main: configuration, log, signals, and the exit code.
 *
 * Owns the process: what ends it, in which order, and with which code (0 stopped when asked, 2 unusable configuration,
 * 1 anything else). It refuses to linger: a second signal ends it at once.
 */
import { collectDefaultMetrics, Registry } from "prom-client";
import { z } from "zod";
import { type BaseConfig, baseConfig } from "../config/base-config.ts";
import { ConfigError } from "../config/config-error.ts";
import { loadConfig } from "../config/load-config.ts";
import { FleetError } from "../errors/fleet-error.ts";
import { createLogger, type Logger } from "../logs/create-logger.ts";
import type { RunningService, ServiceEnvironment, ServiceParts } from "./service-parts.ts";
import { startService } from "./start-service.ts";

/** Beyond `drainMs`: closing stores and sending what is left. After this the process ends as it is. */
const CLOSE_MS_MOST = 15_000;

export interface RunOptions<S extends z.ZodObject> {
  readonly name: string;
  /** Spreads `baseConfig`. */
  readonly schema: S;
  build(env: ServiceEnvironment<z.output<S>>): Promise<ServiceParts>;
}

/** Older ones do not run the sources as they are: they lack type stripping without a flag. */
const NODE_MAJOR_LEAST = 24;

/** Resolves when the service serves. The process ends by itself. */
export async function runService<S extends z.ZodObject>(options: RunOptions<S>): Promise<void> {
  if (Number(process.versions.node.split(".")[0]) < NODE_MAJOR_LEAST) {
    process.stderr.write(
      `${options.name} runs under Node ${NODE_MAJOR_LEAST} or newer, and this is Node ${process.versions.node}\n`,
    );
    process.exit(2);
  }
  const config = configOrExit(options.schema);
  const base = z.object(baseConfig).parse(Object.fromEntries(Object.keys(baseConfig).map((key) => [key, config[key]])));
  const log = createLogger(options.name, base.logLevel);
  const stopping = new AbortController();
  let service: RunningService | undefined;

  const stop = (why: string): void => {
    if (stopping.signal.aborted) {
      log.warn({ why }, "asked to stop twice: ending at once");
      process.exit(1);
    }
    log.info({ why }, "stopping");
    stopping.abort(new FleetError("SHUTTING_DOWN", "the service is shutting down"));
    setTimeout(() => {
      log.error("stopping took too long: ending at once");
      process.exit(1);
    }, base.drainMs + CLOSE_MS_MOST).unref();
    if (service !== undefined) void end(service, log);
  };
  listenForTheEnd(base, stop, log);

  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  // Node ends a process whose only promise hangs on a signal; listeners keep it alive once there are some.
  const alive = setInterval(() => undefined, 60_000);
  try {
    const parts = await options.build({ config, log, metrics, stopping: stopping.signal });
    service = await startService({ name: options.name, config: base, log, metrics, parts });
  } catch (error) {
    if (stopping.signal.aborted) process.exit(0);
    if (error instanceof ConfigError) exitForConfig(error);
    log.fatal({ err: error }, "the service did not start");
    process.exit(1);
  }
  clearInterval(alive);
  if (stopping.signal.aborted) await end(service, log);
}

async function end(service: RunningService, log: Logger): Promise<never> {
  try {
    await service.stop();
  } catch (error) {
    log.error({ err: error }, "stopping failed");
    process.exit(1);
  }
  process.exit(0);
}

function listenForTheEnd(config: BaseConfig, stop: (why: string) => void, log: Logger): void {
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error: unknown) => {
      // Its state is unknown now. Everything durable is in the database; a supervisor starts the process anew.
      log.fatal({ err: error }, `${event}: ending at once`);
      process.exit(1);
    });
  }
  if (config.dieWithParent) {
    let told = false;
    const parentGone = (): void => {
      if (!told) stop("the parent's end of standard input closed");
      told = true;
    };
    for (const event of ["end", "close", "error"] as const) process.stdin.on(event, parentGone);
    process.stdin.resume();
  }
}

function configOrExit<S extends z.ZodObject>(schema: S): z.output<S> {
  try {
    return loadConfig(schema, { env: process.env });
  } catch (error) {
    if (error instanceof ConfigError) exitForConfig(error);
    throw error;
  }
}

function exitForConfig(error: ConfigError): never {
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
}
