/** Asking a gateway under test, and looking at how it failed. */
import type { llm } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import { requestFor } from "./calls.ts";
import type { GatewayClient } from "./gateway-under-test.ts";

export type Fields = Parameters<typeof requestFor>[1];

interface Asked {
  readonly client: GatewayClient;
}

/** The completion of `Complete`. */
export async function ask({ client }: Asked, prompt: string, fields: Fields = {}): Promise<llm.Completion> {
  const { completion } = await client.complete(requestFor(prompt, fields));
  if (completion === undefined) throw new Error("no completion");
  return completion;
}

/** Pieces and completion of `StreamComplete`. */
export async function askStreamed({ client }: Asked, prompt: string, fields: Fields = {}) {
  const pieces: string[] = [];
  let completion: llm.Completion | undefined;
  for await (const { part } of client.streamComplete({ request: requestFor(prompt, fields) })) {
    if (part?.$case === "delta") pieces.push(part.value);
    else completion = part?.value;
  }
  return { pieces, completion };
}

/** The error that the work fails with. */
export async function failureOf(work: Promise<unknown>): Promise<FleetError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof FleetError) return error;
  throw new Error("it did not fail", { cause: error });
}
