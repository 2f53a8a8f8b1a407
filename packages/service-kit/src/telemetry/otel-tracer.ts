/**
 * The OpenTelemetry SDK behind `Tracer`: loaded only when tracing is on. Nothing global is set, so that two services of
 * one process (tests) do not get into each other's way.
 */
import { setTimeout as delay } from "node:timers/promises";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { splitPath } from "../rpc/service-definition.ts";
import type { Tracer } from "./tracer.ts";

/** `version-trace-span-flags`, all hexadecimal. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;

const CLOSE_MS_MOST = 2_000;

export function createTracer(service: string, env: Readonly<Record<string, string | undefined>>): Tracer {
  const ratio = Number(env["OTEL_TRACES_SAMPLER_ARG"] ?? "1");
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": env["OTEL_SERVICE_NAME"] ?? service }),
    sampler: new ParentBasedSampler({
      root: new TraceIdRatioBasedSampler(ratio >= 0 && ratio <= 1 ? ratio : 1),
    }),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  });
  const tracer = provider.getTracer("promptpo");
  return {
    start(path, parent) {
      const { service: rpcService, method } = splitPath(path);
      const span = tracer.startSpan(
        path.slice(1),
        {
          kind: SpanKind.SERVER,
          attributes: { "rpc.system": "grpc", "rpc.service": rpcService, "rpc.method": method },
        },
        parentContext(parent),
      );
      const { traceId, spanId, traceFlags } = span.spanContext();
      return {
        traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`,
        end(code, error) {
          span.setAttribute("rpc.grpc.status_code", code);
          if (error !== undefined) {
            span.setAttribute("error.type", error.reason);
            span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
          }
          span.end();
        },
      };
    },
    async close() {
      // The collector may be away. Losing spans is no reason to fail a stop, or to hold it up for long.
      const sent = provider.shutdown().catch(() => undefined);
      await Promise.race([sent, delay(CLOSE_MS_MOST, undefined, { ref: false })]);
    },
  };
}

function parentContext(traceparent: string | undefined) {
  const match = traceparent === undefined ? null : TRACEPARENT.exec(traceparent);
  const [, traceId, spanId, flags] = match ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT;
  const sampled = Number.parseInt(flags, 16) & TraceFlags.SAMPLED;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: sampled, isRemote: true });
}
