/**
 * The metrics of calls, by the names that gRPC dashboards know.
 *
 * Owns the four series and their labels. It refuses labels with unbounded values: no tenant, no request id.
 */
import { status } from "@grpc/grpc-js";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { CallKind } from "../rpc/service-definition.ts";

/** From a cache hit to a model that thinks for ten minutes. */
const BUCKETS_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600, 3600,
];

export interface MeasuredCall {
  readonly service: string;
  readonly method: string;
  readonly kind: CallKind;
}

export interface CallMetrics {
  started(call: MeasuredCall): void;
  handled(call: MeasuredCall, code: status, seconds: number): void;
}

export function createCallMetrics(registry: Registry): CallMetrics {
  const names = ["grpc_service", "grpc_method", "grpc_type"] as const;
  const registers = [registry];
  const startedTotal = new Counter({
    name: "grpc_server_started_total",
    help: "Calls that arrived.",
    labelNames: names,
    registers,
  });
  const handledTotal = new Counter({
    name: "grpc_server_handled_total",
    help: "Calls that ended, by status code.",
    labelNames: [...names, "grpc_code"],
    registers,
  });
  const handlingSeconds = new Histogram({
    name: "grpc_server_handling_seconds",
    help: "Seconds from a call's headers to its status.",
    labelNames: names,
    buckets: BUCKETS_SECONDS,
    registers,
  });
  const inFlight = new Gauge({
    name: "grpc_server_in_flight",
    help: "Calls that have arrived and not ended.",
    labelNames: names,
    registers,
  });
  const labelsOf = (call: MeasuredCall) => ({
    grpc_service: call.service,
    grpc_method: call.method,
    grpc_type: call.kind,
  });
  return {
    started(call) {
      const labels = labelsOf(call);
      startedTotal.inc(labels);
      inFlight.inc(labels);
    },
    handled(call, code, seconds) {
      const labels = labelsOf(call);
      inFlight.dec(labels);
      handledTotal.inc({ ...labels, grpc_code: codeName(code) });
      handlingSeconds.observe(labels, seconds);
    },
  };
}

/** `DEADLINE_EXCEEDED` as dashboards write it, which took it from Go: `DeadlineExceeded`, `Canceled`, `OK`. */
function codeName(code: status): string {
  if (code === status.OK) return "OK";
  if (code === status.CANCELLED) return "Canceled";
  return (status[code] ?? "UNKNOWN")
    .split("_")
    .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    .join("");
}
