// The command line as a library: for tests and for programs that want its exit codes and documents.

export { EXIT, exitCodeOf } from "./exit-codes.ts";
export { type RecordingFile, readRecordingFile, writeRecordingFile } from "./recording-file.ts";
export { runCli } from "./run-cli.ts";
export type { CliWorld } from "./world.ts";
