/**
 * The OpenAI-compatible HTTP door: `/v1/chat/completions` (whole and streamed) and `/v1/models`, on the same pipeline.
 *
 * Owns the listener, reading of bodies, bearer tokens, server-sent events. A client that leaves ends its call.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { llm } from "@promptpo/contracts";
import { FleetError, formatAddress, isLoopback, type Logger, parseAddress } from "@promptpo/service-kit";
import type { Call } from "../core/call.ts";
import { parseChatRequest } from "../core/openai/chat-request.ts";
import {
  chatCompletion,
  endChunks,
  httpError,
  modelEntry,
  modelList,
  pieceChunk,
} from "../core/openai/chat-response.ts";
import { type CallDefaults, parseCall } from "../core/parse-call.ts";
import type { Gateway } from "../core/pipeline/gateway.ts";
import { streamPieces } from "../core/pipeline/stream-pieces.ts";

/** JSON around the messages: escapes can double them. */
const BODY_BYTES_A_PROMPT_BYTE = 2;
const BODY_BYTES_MORE = 64 * 1024;
/** A comment now and then keeps proxies and impatient clients from hanging up while a model thinks. */
const HEARTBEAT_MS = 15_000;

export interface OpenAiDoorOptions {
  /** `host:port`. */
  readonly listen: string;
  readonly gateway: Gateway;
  readonly defaults: CallDefaults;
  readonly models: () => readonly llm.Model[];
  /** The calling tenant by the header `authorization`; throws a FleetError. */
  readonly authenticate: (authorization: string | undefined) => string;
  readonly log: Logger;
}

export interface OpenAiDoor extends AsyncDisposable {
  readonly address: string;
  /** Refuses new calls; resolves when running ones have ended. */
  drain(): Promise<void>;
}

export async function openOpenAiDoor(options: OpenAiDoorOptions): Promise<OpenAiDoor> {
  const wanted = parseAddress(options.listen);
  if (wanted === undefined) throw new TypeError(`not host:port: ${options.listen}`);
  const running = new Set<Promise<void>>();
  const server = createServer({ requestTimeout: 60_000 }, (request, response) => {
    const call = serve(request, response, options).finally(() => running.delete(call));
    running.add(call);
  });
  server.listen(wanted.port, wanted.host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // A TCP listener's address is never a string or null.
  const address = formatAddress({ host: wanted.host, port });
  options.log.info({ address }, "the OpenAI-compatible door is open");
  if (!isLoopback(wanted.host)) {
    options.log.warn(
      { address },
      "the OpenAI-compatible door speaks plain HTTP beyond this machine; put TLS before it",
    );
  }
  return {
    address,
    async drain() {
      server.close();
      server.closeIdleConnections();
      await Promise.all(running);
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await Promise.all(running);
    },
  };
}

async function serve(request: IncomingMessage, response: ServerResponse, options: OpenAiDoorOptions): Promise<void> {
  const left = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) left.abort(new FleetError("CANCELLED", "the client has left"));
  });
  response.on("error", () => undefined); // "close" follows.
  try {
    const tenant = options.authenticate(request.headers.authorization);
    await route(request, response, tenant, left.signal, options);
  } catch (error) {
    const problem = FleetError.from(error);
    if (problem.reason === "INTERNAL") options.log.error({ err: error }, "a call of the OpenAI door failed");
    const { status, headers, body } = httpError(problem);
    if (!response.headersSent) sendJson(response, status, body, headers);
    else response.end(`data: ${JSON.stringify(body)}\n\n`);
  }
}

async function route(
  request: IncomingMessage,
  response: ServerResponse,
  tenant: string,
  signal: AbortSignal,
  options: OpenAiDoorOptions,
): Promise<void> {
  const [path = ""] = (request.url ?? "").split("?", 1);
  const model = /^\/v1\/models\/(.+)$/.exec(path)?.[1];
  if (request.method === "GET" && path === "/v1/models") return sendJson(response, 200, modelList(options.models()));
  if (request.method === "GET" && model !== undefined) {
    const found = options.models().find(({ name }) => name === decodeURIComponent(model));
    if (found === undefined) throw new FleetError("UNKNOWN_MODEL", "no model of that name is offered");
    return sendJson(response, 200, modelEntry(found));
  }
  if (request.method === "POST" && path === "/v1/chat/completions")
    return chat(request, response, tenant, signal, options);
  throw new FleetError("NOT_FOUND", "here are POST /v1/chat/completions and GET /v1/models");
}

async function chat(
  request: IncomingMessage,
  response: ServerResponse,
  tenant: string,
  signal: AbortSignal,
  options: OpenAiDoorOptions,
): Promise<void> {
  const { gateway, defaults } = options;
  const most = defaults.promptBytesMost * BODY_BYTES_A_PROMPT_BYTE + BODY_BYTES_MORE;
  const asked = parseChatRequest(await readJson(request, most), (name) => headerOf(request, name));
  const calls = asked.requests.map((one) => parseCall(one, tenant, defaults));
  const [call] = calls;
  if (asked.stream && call !== undefined) return stream(response, call, asked.includeUsage, signal, options);
  const completions = await Promise.all(calls.map((one) => gateway.complete(one, { signal })));
  sendJson(response, 200, chatCompletion(completions));
}

async function stream(
  response: ServerResponse,
  call: Call,
  includeUsage: boolean,
  signal: AbortSignal,
  { gateway }: OpenAiDoorOptions,
): Promise<void> {
  const id = `chatcmpl-${call.cacheKey.slice(0, 24)}`;
  const begin = (): void => {
    if (!response.headersSent) {
      response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
    }
  };
  const send = async (event: object): Promise<void> => {
    begin();
    // A reader that is slower than the model holds the stream up, not the gateway's memory.
    if (!response.write(`data: ${JSON.stringify(event)}\n\n`) && !signal.aborted) {
      await Promise.race([once(response, "drain"), once(response, "close")]);
    }
  };
  // Until the first piece or heartbeat a failure still has a status of its own.
  const heartbeat = setInterval(() => {
    begin();
    response.write(": waiting\n\n");
  }, HEARTBEAT_MS);
  try {
    let first = true;
    for await (const part of streamPieces((pieces) => gateway.complete(call, { signal, pieces }))) {
      if (part.kind === "piece") {
        await send(pieceChunk(id, call.model, Date.now(), part.text, first));
        first = false;
      } else {
        for (const event of endChunks(id, Date.now(), part.completion, includeUsage)) await send(event);
      }
    }
    response.end("data: [DONE]\n\n");
  } finally {
    clearInterval(heartbeat);
  }
}

async function readJson(request: IncomingMessage, bytesMost: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > bytesMost) throw new FleetError("PROMPT_TOO_LARGE", `the body is larger than ${bytesMost} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new FleetError("INVALID_ARGUMENT", "the body is not JSON");
  }
}

function headerOf(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? "";
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    // An unread rest of a refused body must not be taken for the next request.
    ...(response.req.complete ? {} : { connection: "close" }),
    ...headers,
  });
  response.end(text);
}
