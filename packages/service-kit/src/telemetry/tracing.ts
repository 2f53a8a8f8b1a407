/**
 * OpenTelemetry: one span a call, joined by W3C `traceparent`. Off, and not even loaded, unless
 * OTEL_EXPORTER_OTLP_ENDPOINT is set; every other OTEL_ variable is the SDK's own business.
 */
import type { Tracer } from "./tracer.ts";

/** undefined while tracing is off. */
export async function startTracing(
  service: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Tracer | undefined> {
  const endpoint = env["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
  if (endpoint === undefined || endpoint.trim() === "" || env["OTEL_SDK_DISABLED"] === "true") return undefined;
  const { createTracer } = await import("./otel-tracer.ts");
  return createTracer(service, env);
}
