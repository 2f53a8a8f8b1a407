// Finds the Python source in a model's answer. Pure text work: whether the source parses is found out in the jail.
//
// Rule: fenced blocks marked python, py, python3 or not at all count (``` or ~~~, the closing fence at least as long; a
// last fence that is never closed counts up to the end). Of these the last one that defines the wanted class is taken,
// else the last one that defines any class with the wanted method, else the last one that defines any class. An answer
// without any fence is taken as a whole if it defines a class at the start of a line.

export interface Wanted {
  /** Name of the class that was asked for. */
  readonly className: string;
  /** Method that makes a class usable whatever its name: `act`, `summarize_trajectory`. */
  readonly method: string;
}

export type Extraction =
  | { readonly ok: true; readonly source: string }
  | { readonly ok: false; readonly message: string };

export function extractPython(answer: string, { className, method }: Wanted): Extraction {
  const text = answer.replace(/\r\n?/g, "\n");
  const { blocks, fences } = fencedBlocks(text);
  const candidates = fences === 0 ? [text] : blocks;
  const named = new RegExp(`^class\\s+${className}\\b`, "m");
  const usable = new RegExp(`^\\s+(?:async\\s+)?def\\s+${method}\\s*\\(`, "m");
  const source =
    candidates.findLast((block) => named.test(block)) ??
    candidates.findLast((block) => ANY_CLASS.test(block) && usable.test(block)) ??
    candidates.findLast((block) => ANY_CLASS.test(block));
  if (source !== undefined) return { ok: true, source: `${source.trimEnd()}\n` };
  if (text.trim() === "") return { ok: false, message: "the answer is empty" };
  if (blocks.length === 0) return { ok: false, message: "the answer holds no Python code block" };
  return { ok: false, message: `no Python code block of the answer defines the class ${className}` };
}

const found = new WeakMap<object, Extraction>();

/** `extractPython` for an answer that is looked at again and again: remembered as long as the answer is. */
export function sourceIn(answer: { readonly text: string }, wanted: Wanted): Extraction {
  const known = found.get(answer);
  if (known !== undefined) return known;
  const extraction = extractPython(answer.text, wanted);
  found.set(answer, extraction);
  return extraction;
}

const ANY_CLASS = /^class\s+[A-Za-z_]\w*/m;
const PYTHON_INFO = /^(?:python|py|python3)?$/i;
const FENCE = /^( {0,3})(`{3,}|~{3,})\s*([^`\n]*)$/;

function fencedBlocks(text: string): { blocks: string[]; fences: number } {
  const blocks: string[] = [];
  let fences = 0;
  let open: { fence: string; indent: string; python: boolean; lines: string[] } | undefined;
  for (const line of text.split("\n")) {
    if (open === undefined) {
      const match = FENCE.exec(line);
      if (match === null) continue;
      fences += 1;
      const info = (match[3] ?? "").trim().split(/[\s{,:]/, 1)[0] ?? "";
      open = { fence: match[2] ?? "```", indent: match[1] ?? "", python: PYTHON_INFO.test(info), lines: [] };
    } else if (isClosing(line, open.fence)) {
      if (open.python) blocks.push(open.lines.join("\n"));
      open = undefined;
    } else {
      open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    }
  }
  if (open?.python === true) blocks.push(open.lines.join("\n"));
  return { blocks, fences };
}

function isClosing(line: string, fence: string): boolean {
  const text = line.trim();
  return text.length >= fence.length && text === (fence[0] ?? "`").repeat(text.length) && /^ {0,3}\S/.test(line);
}
