import { types } from "@promptpo/contracts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChatMessage, Parameters } from "../core/call.ts";
import { recordingKeyOf } from "../core/keys.ts";
import type { Recorded } from "../core/recorded.ts";
import { decodeRecorded, encodeRecorded } from "./recording-file.ts";

interface Said {
  readonly messages: readonly ChatMessage[];
  readonly answer: string;
  readonly parameters?: Parameters;
  readonly place?: string;
}

function recorded({ messages, answer, parameters = {}, place = "r1/c03/policy/0" }: Said): Recorded {
  return {
    key: recordingKeyOf({ messages, parameters, place }),
    place,
    model: "some-model",
    date: "2026-11-02",
    messages,
    parameters,
    finish: "stop",
    answer,
    usage: types.Usage.fromPartial({ promptTokens: 12n, completionTokens: 34n, estimated: true }),
  };
}

const bytes = (text: string) => new TextEncoder().encode(text);
const again = (entry: Recorded) => decodeRecorded(bytes(encodeRecorded(entry)));

const policy = `I will move right first.

\`\`\`python
class NoiseWorldPolicy:
    def act(self, obs):
        # a tab:\there
        return 1
\`\`\`
`;

test("a recording reads like the conversation it is", async () => {
  const entry = recorded({
    messages: [
      { role: "system", content: "You write policies." },
      { role: "user", content: "Environment: NoiseWorld\n\n  horizon: 100\n\nReturn one block.\n" },
    ],
    answer: policy,
    parameters: { temperature: 1, max_tokens: 4096, stop: ["END"] },
  });
  await expect(encodeRecorded(entry)).toMatchFileSnapshot("golden/r1_c03_policy_0.yaml");
  expect(again(entry)).toEqual(entry);
});

/** Lines that block literals find hard. */
const line = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom(
    "",
    " ",
    "\t",
    "  x",
    "x  ",
    "\tx",
    "x\t",
    "# no comment",
    "---",
    "...",
    "- item",
    "key: value",
    "%YAML",
    "'",
    '"',
    "|",
    "\u00a0",
    "é",
    "🙂",
    "日本",
  ),
  fc.constantFrom("\r", "x\r", "\u0000", "\u0085", "\u2028", "\u2029", "\ufeff", "\u007f", "\u001b[0m"),
);
const awkward = fc
  .tuple(
    fc.array(line, { maxLength: 6 }),
    fc.constantFrom("\n", "\r\n", "\n\n"),
    fc.constantFrom("", "\n", "\n\n", " "),
  )
  .map(([lines, separator, end]) => lines.join(separator) + end);

describe("any text comes back byte for byte", () => {
  test("whatever its lines, ends and characters", () => {
    fc.assert(
      fc.property(awkward, awkward, (prompt, answer) => {
        const entry = recorded({ messages: [{ role: "user", content: prompt }], answer });
        expect(again(entry)).toEqual(entry);
      }),
      { numRuns: 500 },
    );
  });

  test("whatever the parameters", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue()), (parameters) => {
        fc.pre(!("__proto__" in parameters && Object.hasOwn(parameters, "__proto__")));
        // Minus zero is told as 0, as canonical JSON has it.
        const plain: Parameters = JSON.parse(JSON.stringify(parameters));
        const entry = recorded({ messages: [{ role: "user", content: "p" }], answer: "a", parameters: plain });
        expect(again(entry)).toEqual(entry);
      }),
    );
  });

  test("long texts stay as they are written: no line is folded", () => {
    const words = "word ".repeat(2_000);
    const entry = recorded({ messages: [{ role: "user", content: words }], answer: `${words}\n${words}` });
    expect(encodeRecorded(entry)).toContain(`\n    content: |-\n      ${words}\n`.replace("|-", "|-"));
    expect(again(entry)).toEqual(entry);
  });
});

describe("a damaged file is refused with what is wrong", () => {
  const file = encodeRecorded(recorded({ messages: [{ role: "user", content: "one\ntwo\n" }], answer: policy }));
  test.each([
    ["a changed prompt", file.replace("two", "three"), /hash in messages_sha256/],
    ["a changed place", file.replace("r1/c03/policy/0", "r1/c04/policy/0"), /key is not the key/],
    ["line ends converted", file.replaceAll("\n", "\r\n").replace("one\r\n", "one\\r\n"), /./],
    ["cut off", file.slice(0, file.indexOf("messages:")), /messages: /],
    ["no YAML", "key: [", /./],
    ["another version", file.replace("version: 1", "version: 2"), /version: /],
    ["a key twice", `${file}\nkey: x\n`, /unique/i],
    ["empty", "", /./],
  ])("%s", (_, text, message) => {
    expect(() => decodeRecorded(bytes(text))).toThrow(message);
  });

  test("bytes that are not UTF-8", () => {
    expect(() => decodeRecorded(Uint8Array.from([0x6b, 0xff, 0xfe]))).toThrow("not UTF-8");
  });
});
