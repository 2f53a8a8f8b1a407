/**
 * A call as a stream: its pieces as they come, then the completion. The pieces joined are the completion's text, also
 * where the answer came whole (cache, recording, another call).
 */
import type { llm } from "@promptpo/contracts";
import { Pieces } from "./pieces.ts";

export type StreamPart =
  | { readonly kind: "piece"; readonly text: string }
  | { readonly kind: "completion"; readonly completion: llm.Completion };

export async function* streamPieces(run: (pieces: Pieces) => Promise<llm.Completion>): AsyncGenerator<StreamPart> {
  const pieces = new Pieces();
  let waiting = "";
  let wake = (): void => undefined;
  pieces.follow((piece) => {
    waiting += piece;
    wake();
  });
  let ended = false;
  const answer = run(pieces).finally(() => {
    ended = true;
    wake();
  });
  answer.catch(() => undefined); // Seen below; a reader that left does not come there.
  for (;;) {
    if (waiting !== "") {
      const text = waiting;
      waiting = "";
      yield { kind: "piece", text };
    } else if (ended) {
      break;
    } else {
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (waiting !== "" || ended) resolve();
      });
    }
  }
  const completion = await answer;
  const rest = completion.text.slice(pieces.text.length);
  if (rest !== "") yield { kind: "piece", text: rest };
  yield { kind: "completion", completion };
}
