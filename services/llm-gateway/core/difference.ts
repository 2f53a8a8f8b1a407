/**
 * The first difference between two conversations in a few short lines, for people who wonder why a recording did not
 * match. Pure. Long lines are cut around the place where they part.
 */
import type { ChatMessage } from "./call.ts";

const CHARACTERS_BEFORE = 30;
const CHARACTERS_MOST = 120;

/** Three or four lines; empty when the conversations are equal. */
export function firstDifference(recorded: readonly ChatMessage[], asked: readonly ChatMessage[]): string {
  for (let at = 0; at < Math.max(recorded.length, asked.length); at++) {
    const old = recorded[at];
    const now = asked[at];
    if (old === undefined || now === undefined) {
      return `the recorded request has ${recorded.length} messages, this one ${asked.length}`;
    }
    if (old.role !== now.role) return `message ${at + 1}: recorded from ${old.role}, asked from ${now.role}`;
    if (old.content !== now.content)
      return `message ${at + 1} (${now.role}), ${lineDifference(old.content, now.content)}`;
  }
  return "";
}

function lineDifference(old: string, now: string): string {
  const oldLines = old.split("\n");
  const nowLines = now.split("\n");
  let line = 0;
  while (oldLines[line] === nowLines[line]) line++;
  const oldLine = oldLines[line];
  const nowLine = nowLines[line];
  const parted = partingOf(oldLine ?? "", nowLine ?? "");
  const show = (text: string | undefined): string => (text === undefined ? "(no such line)" : excerpt(text, parted));
  const lines = [`line ${line + 1}:`, `- recorded: ${show(oldLine)}`, `+ asked:    ${show(nowLine)}`];
  if (oldLines.length === nowLines.length) {
    const differing = oldLines.filter((text, at) => text !== nowLines[at]).length;
    if (differing > 1) lines.push(`and ${differing - 1} more of ${nowLines.length} lines`);
  } else {
    lines.push(`the recorded message has ${oldLines.length} lines, this one ${nowLines.length}`);
  }
  return lines.join("\n");
}

function partingOf(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

/** At most CHARACTERS_MOST characters from shortly before `at`, quoted so that blanks and control characters are seen. */
function excerpt(text: string, at: number): string {
  const from = text.length <= CHARACTERS_MOST ? 0 : Math.max(0, Math.min(at - CHARACTERS_BEFORE, text.length - 1));
  const part = text.slice(from, from + CHARACTERS_MOST).toWellFormed();
  return `${from > 0 ? "…" : ""}${JSON.stringify(part)}${from + CHARACTERS_MOST < text.length ? "…" : ""}`;
}
