/**
 * An OpenAI-compatible HTTP server that counts calls and misbehaves when told to. In this process, on a free port.
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text as readAll } from "node:stream/consumers";

export interface Exchange {
  /** Counted from 0. */
  readonly index: number;
  /** As it was sent. */
  readonly body: { readonly model: string; readonly stream?: boolean };
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Resolves when the client's connection of this exchange has ended. */
  readonly gone: Promise<void>;
}

export type Act = (exchange: Exchange) => void | Promise<void>;

export interface ScriptedUpstream extends AsyncDisposable {
  /** Up to `/v1`. */
  readonly url: string;
  readonly exchanges: Exchange[];
  /** What to do with the next calls, in order; then `usually` again. */
  script(...acts: Act[]): void;
  usually(act: Act): void;
  /** Forgets what was asked and scripted. */
  reset(): void;
  /** Resolves when so many calls have arrived, with the last of them. */
  arrived(count: number): Promise<Exchange>;
}

export async function scriptedUpstream(usual: Act = answer("hello")): Promise<ScriptedUpstream> {
  const exchanges: Exchange[] = [];
  const scripted: Act[] = [];
  const waiting: { count: number; tell: () => void }[] = [];
  let usually = usual;
  const server = createServer(async (request, response) => {
    const raw = await readAll(request);
    const gone = new Promise<void>((resolve) => response.once("close", resolve));
    const exchange = {
      index: exchanges.length,
      body: raw === "" ? undefined : JSON.parse(raw),
      request,
      response,
      gone,
    };
    exchanges.push(exchange);
    for (const { count, tell } of waiting) if (exchanges.length >= count) tell();
    await (scripted.shift() ?? usually)(exchange);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    exchanges,
    script: (...acts) => void scripted.push(...acts),
    usually: (act) => {
      usually = act;
    },
    reset() {
      exchanges.length = 0;
      scripted.length = 0;
      usually = usual;
    },
    async arrived(count) {
      await new Promise<void>((tell) => {
        waiting.push({ count, tell });
        if (exchanges.length >= count) tell();
      });
      const exchange = exchanges[count - 1];
      if (exchange === undefined) throw new Error("the call has not arrived");
      return exchange;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

export interface AnswerOptions {
  readonly model?: string;
  readonly finish?: string | null;
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
}

/** A whole answer, streamed in pieces of four characters where the call asks for a stream. */
export function answer(text: string | ((exchange: Exchange) => string), options: AnswerOptions = {}): Act {
  const { finish = "stop", usage = { prompt_tokens: 11, completion_tokens: 7 } } = options;
  return (exchange) => {
    const content = typeof text === "string" ? text : text(exchange);
    const model = options.model ?? exchange.body.model;
    if (exchange.body.stream === true) {
      streamPieces(exchange, content.match(/.{1,4}/gsu) ?? [], model);
      if (finish !== null) sendEvent(exchange, { model, choices: [{ index: 0, delta: {}, finish_reason: finish }] });
      if (usage !== null) sendEvent(exchange, { model, choices: [], usage });
      exchange.response.end("data: [DONE]\n\n");
      return;
    }
    json(200, {
      id: `x-${exchange.index}`,
      object: "chat.completion",
      model,
      choices: [
        { index: 0, message: { role: "assistant", content }, ...(finish === null ? {} : { finish_reason: finish }) },
      ],
      ...(usage === null ? {} : { usage }),
    })(exchange);
  };
}

/** Any JSON with any status. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Act {
  return ({ response }) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
}

/** An error as OpenAI tells it. */
export function refuse(status: number, message: string, headers: Record<string, string> = {}, code?: string): Act {
  return json(status, { error: { message, type: "invalid_request_error", code: code ?? null } }, headers);
}

/** Any bytes with status 200. */
export function garbage(body: string, contentType = "application/json"): Act {
  return ({ response }) => {
    response.writeHead(200, { "content-type": contentType });
    response.end(body);
  };
}

/** The connection breaks before or within the answer. */
export function cut(pieces: readonly string[] = []): Act {
  return async (exchange) => {
    if (pieces.length > 0) {
      streamPieces(exchange, pieces, exchange.body.model);
      await new Promise<void>((resolve) => exchange.response.write(": flushed\n\n", () => resolve()));
    }
    exchange.response.socket?.destroy();
  };
}

/** Waits for the gate, then acts. A client that leaves before ends it. */
export function held(gate: Promise<unknown>, then: Act): Act {
  return async (exchange) => {
    const left = await Promise.race([gate.then(() => false), exchange.gone.then(() => true)]);
    if (!left) await then(exchange);
  };
}

export function streamPieces(exchange: Exchange, pieces: readonly string[], model: string): void {
  const { response } = exchange;
  if (!response.headersSent) response.writeHead(200, { "content-type": "text/event-stream" });
  for (const content of pieces)
    sendEvent(exchange, { model, choices: [{ index: 0, delta: { content }, finish_reason: null }] });
}

export function sendEvent({ response }: Exchange, event: unknown): void {
  if (!response.headersSent) response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(`data: ${JSON.stringify(event)}\n\n`);
}

/** A promise and the function that resolves it. */
export function gate(): { readonly open: () => void; readonly opened: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, opened: promise };
}
