/**
 * The plain HTTP listener of a service: /metrics for Prometheus, /healthz (the process lives), /readyz (it can serve).
 *
 * It has no secrets to show and takes no input, so it has no authentication; bind it where only operators reach.
 */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { formatAddress, parseAddress } from "../config/address.ts";

export interface HttpListener {
  readonly address: string;
  close(): Promise<void>;
}

export interface HttpListenerOptions {
  /** `host:port`. */
  readonly listen: string;
  readonly metrics: Registry;
  /** Why the service can not serve; undefined when it can. */
  readonly problem: () => string | undefined;
}

export async function startHttpListener(options: HttpListenerOptions): Promise<HttpListener> {
  const wanted = parseAddress(options.listen);
  if (wanted === undefined) throw new TypeError(`not host:port: ${options.listen}`);
  const server = createServer((request, response) => {
    void answer(request.method ?? "", request.url ?? "", response, options);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(wanted.port, wanted.host, resolve);
  });
  const { port } = server.address() as AddressInfo; // A TCP listener's address is never a string or null.
  return { address: formatAddress({ host: wanted.host, port }), close: () => close(server) };
}

async function answer(
  method: string,
  url: string,
  response: ServerResponse,
  { metrics, problem }: HttpListenerOptions,
): Promise<void> {
  const [path] = url.split("?", 1);
  if (method !== "GET" && method !== "HEAD") return send(response, 405, "only GET\n");
  switch (path) {
    case "/metrics":
      try {
        return send(response, 200, await metrics.metrics(), metrics.contentType);
      } catch {
        return send(response, 500, "the metrics could not be collected\n");
      }
    case "/healthz":
      return send(response, 200, "ok\n");
    case "/readyz": {
      const why = problem();
      return why === undefined ? send(response, 200, "ok\n") : send(response, 503, `${why}\n`);
    }
    default:
      return send(response, 404, "here are /metrics, /healthz and /readyz\n");
  }
}

function send(response: ServerResponse, code: number, body: string, type = "text/plain; charset=utf-8"): void {
  response.writeHead(code, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
