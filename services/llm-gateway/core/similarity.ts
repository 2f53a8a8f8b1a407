/**
 * How alike two conversations are, 0 to 1: twice the lines they share over the lines they have (Dice). Pure, linear.
 */
import type { ChatMessage } from "./call.ts";

export function similarity(a: readonly ChatMessage[], b: readonly ChatMessage[]): number {
  const counts = new Map<string, number>();
  const linesOfA = linesOf(a);
  const linesOfB = linesOf(b);
  for (const line of linesOfA) counts.set(line, (counts.get(line) ?? 0) + 1);
  let shared = 0;
  for (const line of linesOfB) {
    const left = counts.get(line) ?? 0;
    if (left === 0) continue;
    counts.set(line, left - 1);
    shared++;
  }
  const lines = linesOfA.length + linesOfB.length;
  return lines === 0 ? 1 : (2 * shared) / lines;
}

function linesOf(messages: readonly ChatMessage[]): string[] {
  return messages.flatMap(({ role, content }) => content.split("\n").map((line) => `${role}\n${line}`));
}
