// A model for fault tests: answers like the scripted one, counts the answers that were fully delivered, and can hold those to
// chosen prompts back until the test has done its harm.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface HeldModel extends AsyncDisposable {
  /** For OPENAI_BASE_URL. */
  readonly baseUrl: string;
  /** Answers that a client took whole: what would have been paid for. */
  readonly delivered: () => number;
  /** Resolves once `count` calls with a prompt that `hold` chose wait for their answer. */
  readonly held: (count: number) => Promise<void>;
  /** Resolves once nobody waits any more: the callers are gone. */
  readonly abandoned: () => Promise<void>;
  /** Answers everything that waits and holds nothing back any more. */
  readonly release: () => void;
}

export async function heldModel(
  name: string,
  answer: (prompt: string) => string,
  hold: (prompt: string) => boolean,
): Promise<HeldModel> {
  let delivered = 0;
  let waiting = 0;
  let wake = Promise.withResolvers<void>();
  const changed = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const released = Promise.withResolvers<void>();
  let isReleased = false;
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    response.setHeader("content-type", "application/json");
    if (request.method === "GET") {
      response.end(JSON.stringify({ object: "list", data: [{ id: name, object: "model" }] }));
      return;
    }
    const body = JSON.parse(Buffer.concat(pieces).toString()) as { messages: { content: string }[] };
    const prompt = body.messages.map((message) => message.content).join("\n");
    if (hold(prompt) && !isReleased) {
      waiting += 1;
      changed();
      response.once("close", () => {
        waiting -= 1;
        changed();
      });
      await released.promise;
    }
    if (response.destroyed) return;
    response.once("finish", () => {
      delivered += 1;
    });
    const choices = [{ index: 0, message: { role: "assistant", content: answer(prompt) }, finish_reason: "stop" }];
    response.end(JSON.stringify({ id: "answer", created: 0, model: name, object: "chat.completion", choices }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    delivered: () => delivered,
    async held(count) {
      while (waiting < count) await wake.promise;
    },
    async abandoned() {
      while (waiting > 0) await wake.promise;
    },
    release() {
      isReleased = true;
      released.resolve();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
