/**
 * A text with its numbers masked: two prompts that differ only in simulated values become equal. Pure, linear.
 *
 * A number is an integer or decimal (`12`, `0.5`, `.5`, `1_000`), with an exponent (`1e-3`) and a sign where it has one,
 * or the words nan, inf, infinity in any case. A sign belongs to the number unless something that can be subtracted from
 * stands right before it (`a-3`, `5-3`, `)-3`). The blanks before a number belong to it: columns are padded. Digits within
 * a name are no number (`c03`, `v5`, `x_2`): such names are code and must stay equal.
 */

/** A character that prompts do not hold (OBJECT REPLACEMENT CHARACTER). */
export const MASK = "\uFFFC";

const NUMBER =
  /(?:(?<![ \t])[ \t]+)?(?:(?<![\p{L}\p{N}_)\]}.])[+\-\u2212])?(?<![\p{L}\p{N}_])(?:(?:\d+(?:_\d+)*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|(?:nan|inf(?:inity)?)(?![\p{L}\p{N}_]))/giu;

export function maskNumbers(text: string): string {
  return text.replace(NUMBER, MASK);
}
