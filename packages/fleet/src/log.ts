// The part of a pino logger that this package uses, so that the CLI may pass one that prints to a
// terminal and tests one that collects.

export interface FleetLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLog: FleetLog = { info() {}, warn() {}, error() {} };
