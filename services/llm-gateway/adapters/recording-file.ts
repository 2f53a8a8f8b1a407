/**
 * One recorded answer as a YAML file: made for reading and for version control, exact to the byte when read back.
 *
 * Texts are block literals; a text that a block literal can not hold (a carriage return, blanks alone) is quoted instead.
 * A file is refused when it can not be parsed, lacks a field, or contradicts its own key.
 */
import { canonicalJson, types } from "@promptpo/contracts";
import { Document, parseDocument, Scalar, type ToStringOptions } from "yaml";
import { z } from "zod";
import { messagesSha256Of, RECORDING_VERSION, recordingKeyOf } from "../core/keys.ts";
import type { Recorded } from "../core/recorded.ts";

/** Nothing is folded: neither lines nor quoted texts, for folds do not give back every blank. */
const written: ToStringOptions = { lineWidth: 0, minContentWidth: 0, doubleQuotedAsJSON: true };

/** Not printable in YAML, or a line break to some readers: such a text is quoted. */
const NEEDS_QUOTES = /[\p{Cc}\p{Zl}\p{Zp}\uFEFF\uFFFE\uFFFF]/u;

/** The file's text. */
export function encodeRecorded(recorded: Recorded): string {
  const document = new Document({
    version: RECORDING_VERSION,
    key: recorded.key,
    place: recorded.place,
    model: recorded.model,
    // Quoted: an older YAML reads a bare date as a point in time.
    date: scalar(recorded.date, Scalar.QUOTE_DOUBLE),
    finish_reason: recorded.finish,
    usage: {
      prompt_tokens: Number(recorded.usage.promptTokens),
      completion_tokens: Number(recorded.usage.completionTokens),
      estimated: recorded.usage.estimated,
    },
    // Sorted at every depth: the same request gives the same file.
    parameters: JSON.parse(canonicalJson(recorded.parameters)),
    messages_sha256: messagesSha256Of(recorded.messages),
    messages: recorded.messages.map(({ role, content }) => ({ role, content: text(content) })),
    answer: text(recorded.answer),
  });
  return document.toString(written);
}

const READ = { schema: "core", uniqueKeys: true, logLevel: "silent" } as const;

const shape = z.object({
  version: z.literal(RECORDING_VERSION),
  key: z.string(),
  place: z.string(),
  model: z.string().min(1),
  date: z.iso.date(),
  finish_reason: z.enum(["stop", "length", "content_filter"]),
  usage: z.object({
    prompt_tokens: z.int().min(0),
    completion_tokens: z.int().min(0),
    estimated: z.boolean(),
  }),
  parameters: z.record(z.string(), z.json()),
  messages_sha256: z.string(),
  messages: z.array(z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() })).min(1),
  answer: z.string(),
});

/** What the file holds. Throws an Error whose message says what is wrong with it. */
export function decodeRecorded(bytes: Uint8Array): Recorded {
  const value = readYaml(bytes);
  const parsed = shape.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`${issue?.path.map(String).join(".") || "the file"}: ${issue?.message ?? "not a recorded answer"}`);
  }
  const { key, place, model, date, usage, parameters, messages, answer, finish_reason, messages_sha256 } = parsed.data;
  if (messagesSha256Of(messages) !== messages_sha256) {
    throw new Error("messages do not have the hash in messages_sha256: the file was edited or its line ends converted");
  }
  if (recordingKeyOf({ messages, parameters, place }) !== key) {
    throw new Error("key is not the key of messages, parameters and place: the file was edited");
  }
  return {
    key,
    place,
    model,
    date,
    messages,
    parameters,
    finish: finish_reason,
    answer,
    usage: types.Usage.fromPartial({
      promptTokens: BigInt(usage.prompt_tokens),
      completionTokens: BigInt(usage.completion_tokens),
      estimated: usage.estimated,
    }),
  };
}

/** A YAML file's value: UTF-8, one document, no aliases, no key twice. Throws an Error that says what is wrong. */
export function readYaml(bytes: Uint8Array): unknown {
  let content: string;
  try {
    content = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error("the file is not UTF-8");
  }
  const document = parseDocument(content, READ);
  const [problem] = document.errors;
  if (problem !== undefined) throw new Error(problem.message.split("\n")[0]);
  return document.toJS({ maxAliasCount: 0 });
}

function text(value: string): Scalar {
  const literal = !NEEDS_QUOTES.test(value.replaceAll(/[\n\t]/g, "")) && readsAsLiteral(value);
  return scalar(value, literal ? Scalar.BLOCK_LITERAL : Scalar.QUOTE_DOUBLE);
}

/** Whether a block literal, as deep as messages and as answers are, is read back as it was. */
function readsAsLiteral(value: string): boolean {
  const literal = (): Scalar => scalar(value, Scalar.BLOCK_LITERAL);
  const probe = parseDocument(new Document({ deep: [{ it: literal() }], it: literal() }).toString(written), READ);
  return probe.errors.length === 0 && probe.getIn(["deep", 0, "it"]) === value && probe.get("it") === value;
}

function scalar(value: string, type: Scalar.Type): Scalar {
  const node = new Scalar(value);
  node.type = type;
  return node;
}
