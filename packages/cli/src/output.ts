// Where a command writes: data on standard output, everything else on standard error. A reader that leaves early (`| head`)
// ends the output, not the program with a stack trace.
import { createColors } from "picocolors";

export interface WriteStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  on?(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
}

export interface Output {
  /** A line of data. */
  data(line: string): void;
  /** A line for the person who watches. */
  note(line: string): void;
  /** True when a person watches on a terminal: then lines may be drawn over. */
  readonly live: boolean;
  /** Where live regions are drawn. */
  readonly screen: WriteStream;
  readonly colors: ReturnType<typeof createColors>;
}

export function createOutput(
  stdout: WriteStream,
  stderr: WriteStream,
  env: Readonly<Record<string, string | undefined>>,
): Output {
  for (const stream of [stdout, stderr])
    stream.on?.("error", (error) => {
      if (error.code !== "EPIPE") throw error;
    });
  const live = stderr.isTTY === true && env["TERM"] !== "dumb" && env["CI"] === undefined;
  const colored = stderr.isTTY === true && env["TERM"] !== "dumb" && env["NO_COLOR"] === undefined;
  return {
    data: (line) => void stdout.write(`${line}\n`),
    note: (line) => void stderr.write(`${line}\n`),
    live,
    screen: stderr,
    colors: createColors(colored),
  };
}
