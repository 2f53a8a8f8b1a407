import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "./canonical.ts";
import * as types from "./gen/promptpo/types/v1/types.ts";
import { llm, optimizer } from "./index.ts";
import { messageType, messageTypeNames, registry } from "./message-types.ts";
import { bytesOfProtoJson, fromProtoJson, ProtoJsonError, protoJsonOfBytes, toProtoJson } from "./proto-json.ts";

// Any JSON of any message, straight from its descriptor. `depth` ends the recursion of messages that hold themselves.
function arbitraryJson(message: DescMessage, depth = 3): fc.Arbitrary<Json> {
  const wellKnown = wellKnownJson[message.typeName];
  if (wellKnown !== undefined) return wellKnown;
  const loose = message.fields.filter((field) => field.oneof === undefined);
  const parts = loose.map((field) => arbitraryMember(field, depth));
  for (const oneof of message.oneofs) {
    parts.push(fc.oneof(fc.constant({}), ...oneof.fields.map((field) => arbitraryMember(field, depth))));
  }
  return fc.tuple(...parts).map((members): Json => Object.assign({}, ...members));
}

function arbitraryMember(field: DescField, depth: number): fc.Arbitrary<object> {
  const set = arbitraryValue(field, depth);
  if (set === undefined) return fc.constant({});
  return fc.option(set, { nil: undefined }).map((value) => (value === undefined ? {} : { [field.jsonName]: value }));
}

function arbitraryValue(field: DescField, depth: number): fc.Arbitrary<Json> | undefined {
  if (field.message !== undefined && depth === 0) return undefined;
  const single = (): fc.Arbitrary<Json> => {
    if (field.message !== undefined) return arbitraryJson(field.message, depth - 1);
    if (field.enum !== undefined) {
      return fc.constantFrom<Json>(...field.enum.values.map((value) => value.name), 2_147_483_647);
    }
    return field.scalar === undefined ? fc.constant(null) : scalarJson(field.scalar);
  };
  if (field.fieldKind === "list") return fc.array(single(), { maxLength: 3 });
  if (field.fieldKind === "map") return fc.dictionary(mapKey(field.mapKey), single(), { maxKeys: 3 });
  return single();
}

const integer = (bits: 32 | 64): fc.Arbitrary<Json> =>
  bits === 32 ? fc.integer() : fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const text = fc.string({ unit: "binary" });

function scalarJson(type: ScalarType): fc.Arbitrary<Json> {
  switch (type) {
    case ScalarType.DOUBLE:
      return fc.double().map((value): Json => (Number.isFinite(value) ? value : String(value)));
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("base64"));
    case ScalarType.INT32:
      return integer(32);
    case ScalarType.INT64:
      return integer(64);
    default:
      throw new Error(`no contract had a scalar of type ${ScalarType[type]} so far: say here what it may hold`);
  }
}

const mapKey = (type: ScalarType): fc.Arbitrary<string> =>
  type === ScalarType.STRING ? text.filter((key) => key !== "__proto__") : fc.integer().map(String);

const wellKnownJson: Readonly<Record<string, fc.Arbitrary<Json>>> = {
  "google.protobuf.Timestamp": fc
    .date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true })
    .map((date) => date.toISOString()),
  "google.protobuf.Duration": fc
    .tuple(fc.integer(), fc.integer({ min: 0, max: 999_999_999 }))
    .map(([seconds, nanos]) => `${seconds}.${String(nanos).padStart(9, "0")}s`),
  "google.protobuf.FieldMask": fc.constantFrom("", "state", "settings.trainSeeds,rounds"),
  "google.protobuf.Struct": fc.dictionary(
    text.filter((key) => key !== "__proto__"),
    fc.constantFrom<Json>(null, true, -0, 0.1, "", [], {}, [[{ a: [1] }]]),
  ),
  "google.protobuf.ListValue": fc.constantFrom<Json>([], [null, [1, "two"]]),
  "google.protobuf.Value": fc.constantFrom<Json>(null, 1.5, "text", { key: [] }),
  "google.protobuf.Any": fc.constant({
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason: "UNKNOWN_RUN",
    domain: "promptpo",
  }),
};

describe("every message of the contracts", () => {
  const names = messageTypeNames();

  it("has a generated type for every descriptor of our packages", () => {
    const ours = [...registry()]
      .filter((each) => each.kind === "message")
      .map((each) => each.typeName)
      .filter((name) => name.startsWith("promptpo."));
    expect(names.filter((name) => name.startsWith("promptpo."))).toEqual(ours.sort());
  });

  it.each(names)("%s goes through JSON, wire bytes and the generated codec unchanged", (name) => {
    const descriptor = registry().getMessage(name);
    if (descriptor === undefined) throw new Error(`no descriptor of ${name}`);
    const type = messageType(name);
    fc.assert(
      fc.property(arbitraryJson(descriptor), (drawn) => {
        const bytes = bytesOfProtoJson(name, drawn);
        const json = protoJsonOfBytes(name, bytes);
        const decoded = type.decode(bytes);
        expect(toProtoJson(type, decoded)).toEqual(json);
        expect(fromProtoJson(type, json)).toEqual(decoded);
      }),
      { numRuns: 25 },
    );
  });

  it("a minus zero survives in a field without presence", () => {
    const episode = types.EpisodeResult.fromPartial({ returnValue: -0 });
    expect(toProtoJson(types.EpisodeResult, episode)).toEqual({ returnValue: -0 });
  });
});

describe("the JSON of a message", () => {
  it("is canonical proto JSON", () => {
    const request = llm.CompleteRequest.fromPartial({
      messages: [{ role: llm.Message_Role.ROLE_USER, content: "hello" }],
      sampling: { temperature: 0, topP: Number.NaN },
      sample: { index: 9223372036854775807n },
      timeout: { seconds: 1n, nanos: 500_000_000 },
    });
    expect(toProtoJson(llm.CompleteRequest, request)).toEqual({
      messages: [{ role: "ROLE_USER", content: "hello" }],
      sampling: { temperature: 0, topP: "NaN" },
      sample: { index: "9223372036854775807" },
      timeout: "1.500s",
    });
  });

  it("leaves defaults out unless they are asked for", () => {
    const usage = types.Usage.fromPartial({});
    expect(toProtoJson(types.Usage, usage)).toEqual({});
    expect(toProtoJson(types.Usage, usage, { defaults: true })).toEqual({
      promptTokens: "0",
      completionTokens: "0",
      estimated: false,
    });
  });

  it("shows a oneof flat and reads it back", () => {
    const event = optimizer.Event.fromPartial({
      place: "control/1",
      kind: { $case: "runControlled", value: { action: optimizer.RunControlled_Action.ACTION_PAUSE } },
    });
    const json = { place: "control/1", runControlled: { action: "ACTION_PAUSE" } };
    expect(toProtoJson(optimizer.Event, event)).toEqual(json);
    expect(fromProtoJson(optimizer.Event, json)).toEqual(event);
  });

  it("is read with the .proto file's own field names too", () => {
    expect(fromProtoJson(types.Usage, { prompt_tokens: "7" }).promptTokens).toBe(7n);
  });
});

describe("what is refused", () => {
  it.each<[string, Json, RegExp]>([
    ["an unknown field", { modle: "x" }, /CompleteRequest.*"modle" is unknown/],
    ["an unknown enum name", { cacheMode: "SOMETIMES" }, /CacheMode.*"SOMETIMES"/],
    ["an integer that is too large", { sample: { index: "9223372036854775808" } }, /Sample\.index/],
    ["a duration without unit", { timeout: "1.5" }, /Duration/],
    ["a list instead of a message", [], /CompleteRequest/],
  ])("%s", (_, json, message) => {
    const read = (): unknown => fromProtoJson(llm.CompleteRequest, json);
    expect(read).toThrow(ProtoJsonError);
    expect(read).toThrow(message);
  });

  it("a message name that no contract has", () => {
    expect(() => bytesOfProtoJson("promptpo.llm.v1.Nothing", {})).toThrow(/no message promptpo\.llm\.v1\.Nothing/);
  });

  it("a timestamp that RFC 3339 can not tell", () => {
    const event = optimizer.Event.fromPartial({ createTime: { seconds: 10n ** 12n, nanos: 0 } });
    expect(() => toProtoJson(optimizer.Event, event)).toThrow(ProtoJsonError);
  });
});
