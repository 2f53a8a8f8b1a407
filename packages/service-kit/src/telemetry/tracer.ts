/** What the server tells a tracer of its calls; who listens is decided elsewhere. */
import type { status } from "@grpc/grpc-js";
import type { FleetError } from "../errors/fleet-error.ts";

/** The span of one call. */
export interface CallSpan {
  /** What calls that belong to it send on. */
  readonly traceparent: string;
  end(code: status, error: FleetError | undefined): void;
}

export interface Tracer {
  /** `parent` is a traceparent header, or what came in its place. */
  start(path: string, parent: string | undefined): CallSpan;
  /** Sends what is left. Never throws. */
  close(): Promise<void>;
}
