/**
 * The names nearest to a mistyped one, for "did you mean". Pure; knows nothing of what the names stand for.
 */
import { distance } from "fastest-levenshtein";

/**
 * Up to `most` of `known`, best first, that look like `word`; empty when none does.
 *
 * Case is ignored. A name counts as near when a third of the longer one's letters would have to change at most, or when
 * one begins with or holds the other (`halfcheetah` for `HalfCheetah-v5`). Ties keep the order of `known`, so the answer
 * is a function of its arguments.
 */
export function nearest(word: string, known: readonly string[], most = 3): string[] {
  const wanted = word.trim().toLowerCase();
  if (wanted === "") return [];
  const scored: { name: string; score: number; at: number }[] = [];
  for (const [at, name] of known.entries()) {
    const candidate = name.toLowerCase();
    const edits = distance(wanted, candidate);
    const longer = Math.max(wanted.length, candidate.length);
    const contained =
      wanted.length >= 3 && (candidate.includes(wanted) || (candidate.length >= 3 && wanted.includes(candidate)));
    if (!contained && edits > Math.max(1, Math.floor(longer / 3))) continue;
    // A shared beginning outranks the same number of edits elsewhere: people mistype ends more than starts.
    const head = candidate.startsWith(wanted) || wanted.startsWith(candidate) ? 0.5 : 0;
    scored.push({ name, score: (contained ? Math.min(edits, 2) : edits) - head, at });
  }
  scored.sort((a, b) => a.score - b.score || a.at - b.at);
  return scored.slice(0, most).map((entry) => entry.name);
}
