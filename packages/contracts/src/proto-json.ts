// Canonical proto3 JSON of any message of the contracts, both ways: 64-bit integers as strings, enums by name, Duration as
// "1.500s", Timestamp as RFC 3339, bytes as base64, NaN and the infinities as strings, oneofs flat, lowerCamelCase names.
// The generated toJSON/fromJSON are not that form; this one takes the road over the wire bytes and the descriptors.
// Refuses an unknown field or enum name, and values that have no JSON, with a ProtoJsonError that names the field.
import { type DescMessage, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import type { Json } from "./canonical.ts";
import { type MessageType, registry, typeNameOf } from "./message-types.ts";

export interface ProtoJsonOptions {
  /** Also write fields without presence that have their default (0, "", false, empty lists). Default: leave them out. */
  readonly defaults?: boolean;
}

/** JSON that is not the message it is said to be, or a message that has no JSON. */
export class ProtoJsonError extends Error {
  override readonly name = "ProtoJsonError";
}

/** Canonical proto JSON of a message. `JSON.stringify` of it loses the sign of a minus zero; nothing else is lost. */
export function toProtoJson<T>(type: MessageType<T>, message: T, options: ProtoJsonOptions = {}): Json {
  return protoJsonOfBytes(typeNameOf(type), type.encode(message).finish(), options);
}

/** The message that proto JSON stands for. Field names are taken in lowerCamelCase and as in the .proto file. */
export function fromProtoJson<T>(type: MessageType<T>, json: Json): T {
  return type.decode(bytesOfProtoJson(typeNameOf(type), json));
}

/** Canonical proto JSON of an encoded message, by full type name such as `promptpo.llm.v1.CompleteRequest`. */
export function protoJsonOfBytes(typeName: string, bytes: Uint8Array, options: ProtoJsonOptions = {}): Json {
  const descriptor = descriptorOf(typeName);
  return explained(() =>
    toJson(descriptor, fromBinary(descriptor, bytes), {
      registry: registry(),
      alwaysEmitImplicit: options.defaults ?? false,
    }),
  );
}

/** The encoded message that proto JSON stands for, by full type name. */
export function bytesOfProtoJson(typeName: string, json: Json): Uint8Array {
  const descriptor = descriptorOf(typeName);
  // The library never writes into what it reads; its type only lacks the readonly marks of ours.
  return explained(() => toBinary(descriptor, fromJson(descriptor, json as JsonValue, { registry: registry() })));
}

function descriptorOf(typeName: string): DescMessage {
  const descriptor = registry().getMessage(typeName);
  if (descriptor === undefined) throw new ProtoJsonError(`the contracts have no message ${typeName}`);
  return descriptor;
}

// The library's messages name the message, the field and the value; only the class is ours.
function explained<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new ProtoJsonError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
