// The process around a command line, as much of it as is used: tests bring their own.
import type { WriteStream } from "./output.ts";

export interface CliWorld {
  readonly stdout: WriteStream;
  readonly stderr: WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where SIGINT and SIGTERM come from. */
  readonly signals: { on(signal: "SIGINT" | "SIGTERM" | "SIGHUP", listener: () => void): unknown };
}
