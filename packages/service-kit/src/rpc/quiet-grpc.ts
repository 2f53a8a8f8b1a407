/**
 * grpc-js writes problems to stderr in a format of its own, which we report ourselves. GRPC_VERBOSITY brings it back.
 */
import { logVerbosity, setLogVerbosity } from "@grpc/grpc-js";

export function quietGrpc(): void {
  if (process.env["GRPC_VERBOSITY"] === undefined) setLogVerbosity(logVerbosity.NONE);
}
