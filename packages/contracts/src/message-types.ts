// What is known of the contracts' messages at run time: their descriptors (from the committed buf image) and, by full type
// name, the generated types that encode and decode them. Refuses a name or an object that is none of ours.
import { readFileSync } from "node:fs";
import { createFileRegistry, type DescMessage, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import * as any from "./gen/google/protobuf/any.ts";
import * as duration from "./gen/google/protobuf/duration.ts";
import * as fieldMask from "./gen/google/protobuf/field_mask.ts";
import * as struct from "./gen/google/protobuf/struct.ts";
import * as timestamp from "./gen/google/protobuf/timestamp.ts";
import * as errorDetails from "./gen/google/rpc/error_details.ts";
import * as status from "./gen/google/rpc/status.ts";
import * as llm from "./gen/promptpo/llm/v1/llm.ts";
import * as optimizer from "./gen/promptpo/optimizer/v1/optimizer.ts";
import * as rollout from "./gen/promptpo/rollout/v1/rollout.ts";
import * as sim from "./gen/promptpo/sim/v1/sim.ts";
import * as types from "./gen/promptpo/types/v1/types.ts";
import { reflectionImageUrl } from "./image.ts";

/** What a generated message type offers: `llm.CompleteRequest`, `optimizer.Event`, `Status`, ... */
export interface MessageType<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** Descriptors of every file of proto/, imports included. */
export function registry(): FileRegistry {
  files ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(reflectionImageUrl)));
  return files;
}

/** The generated type of a full type name such as `promptpo.llm.v1.CompleteRequest`. */
export function messageType(typeName: string): MessageType<unknown> {
  const type = tables().byName.get(typeName);
  if (type === undefined) throw new TypeError(`the contracts have no message ${typeName}`);
  return type;
}

/** The full type name of a generated type. */
export function typeNameOf(type: object): string {
  const name = tables().names.get(type);
  if (name === undefined) throw new TypeError("this object is no generated message type of the contracts");
  return name;
}

/** Full type names of all messages that have a generated type. */
export function messageTypeNames(): string[] {
  return [...tables().byName.keys()].sort();
}

// Built at first use: a process which never speaks JSON does not pay for it.
let files: FileRegistry | undefined;
let found: { byName: Map<string, MessageType<unknown>>; names: Map<object, string> } | undefined;

const modules: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "google.protobuf": { ...any, ...duration, ...fieldMask, ...struct, ...timestamp },
  "google.rpc": { ...errorDetails, ...status },
  "promptpo.llm.v1": llm,
  "promptpo.optimizer.v1": optimizer,
  "promptpo.rollout.v1": rollout,
  "promptpo.sim.v1": sim,
  "promptpo.types.v1": types,
};

function tables(): NonNullable<typeof found> {
  if (found !== undefined) return found;
  found = { byName: new Map(), names: new Map() };
  for (const file of registry().files) {
    for (const { typeName } of withNested(file.messages)) {
      // The generator joins the names of nested messages with an underscore.
      const name = typeName.slice(file.proto.package.length + 1).replaceAll(".", "_");
      const type = modules[file.proto.package]?.[name];
      if (!isMessageType(type)) continue;
      found.byName.set(typeName, type);
      found.names.set(type, typeName);
    }
  }
  return found;
}

function isMessageType(value: unknown): value is MessageType<unknown> {
  return typeof value === "object" && value !== null && "encode" in value && "decode" in value;
}

function* withNested(messages: readonly DescMessage[]): Iterable<DescMessage> {
  for (const message of messages) {
    yield message;
    yield* withNested(message.nestedMessages);
  }
}
