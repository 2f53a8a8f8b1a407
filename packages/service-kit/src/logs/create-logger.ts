/**
 * The process's logger: pino, JSON lines on stdout, without secrets.
 *
 * Owns format and cleaning. It refuses transports in worker threads: a line written before a crash must be out.
 */
import { type DestinationStream, destination, type Logger as PinoLogger, pino } from "pino";
import { withoutSecrets } from "./secrets.ts";

export type Logger = PinoLogger;
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/**
 * A logger whose every line has `service: name`. Errors go under `err` with their stack and causes.
 * `stream` is where lines go (tests); default is stdout, written synchronously.
 */
export function createLogger(name: string, level: LogLevel = "info", stream?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: { service: name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.errWithCause },
      hooks: { streamWrite: withoutSecrets },
    },
    stream ?? standardOutput(),
  );
}

/** A logger that writes nothing: for tests and for clients that were given none. */
export function silentLogger(): Logger {
  return pino({ level: "silent" });
}

function standardOutput(): DestinationStream {
  const out = destination({ fd: 1, sync: true });
  // The reader of the pipe may be gone before we are: the process has better things to do than to die of EPIPE.
  out.on("error", () => undefined);
  return out;
}
