// An OpenAI-compatible endpoint for tests: answers each kind of prompt with a fixed text, and counts what it was asked. Its
// first NoiseWorld policy walks into walls, the second finds the way, so that a run has something to improve.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface ScriptedModel extends AsyncDisposable {
  /** For OPENAI_BASE_URL. */
  readonly baseUrl: string;
  /** Last user messages, in order of arrival. */
  readonly prompts: readonly string[];
}

export async function scriptedModel(
  name: string,
  answer: (prompt: string) => string | Promise<string>,
): Promise<ScriptedModel> {
  const prompts: string[] = [];
  const server = createServer(async (request, response) => {
    if (request.method === "GET") {
      response
        .setHeader("content-type", "application/json")
        .end(JSON.stringify({ object: "list", data: [{ id: name, object: "model" }] }));
      return;
    }
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body: unknown = JSON.parse(Buffer.concat(pieces).toString());
    const { messages, stream } = body as { messages: { content: string }[]; stream?: boolean };
    const prompt = messages.map((message) => message.content).join("\n");
    prompts.push(prompt);
    const text = await answer(prompt);
    const common = { id: `answer-${prompts.length}`, created: 0, model: name };
    if (stream === true) {
      const chunk = (choice: object) =>
        `data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", choices: [{ index: 0, ...choice }] })}\n\n`;
      response.setHeader("content-type", "text/event-stream");
      response.write(chunk({ delta: { role: "assistant", content: text }, finish_reason: null }));
      response.write(chunk({ delta: {}, finish_reason: "stop" }));
      response.end("data: [DONE]\n\n");
      return;
    }
    const choices = [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }];
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ ...common, object: "chat.completion", choices }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    prompts,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const block = (code: string): string => `Here it is.\n\n\`\`\`python\n${code}\n\`\`\`\n`;

/** Never moves: each step is blocked by the board's edge. */
const STANDS = `class NoiseWorldPolicy:
    def act(self, obs):
        return 0`;

/** Board 0: around the wall in the corner and along the lowest row, where every move does what it should. */
const WALKS = `class NoiseWorldPolicy:
    def act(self, obs):
        row, col = round(obs.agent_row * 4), round(obs.agent_col * 4)
        if row < 3:
            return 1
        return 1 if row == 3 and col > 0 else 3`;

const FEEDBACK = `class Feedback:
    def summarize_trajectory(self, traj):
        return f"{len(traj)} steps, last at row {traj[-1].agent_row:.2f}"`;

/** Answers for runs of NoiseWorld-0: the first round's policies stand still, and whoever is shown one of them walks. */
export function noiseWorldAnswers(prompt: string): string {
  if (prompt.startsWith("The policy of an agent")) return "It reached nothing: every step was spent at the start.";
  if (prompt.includes("summarize_trajectory") && !prompt.startsWith("You write the policy")) return block(FEEDBACK);
  return block(prompt.includes("return 0") ? WALKS : STANDS);
}
