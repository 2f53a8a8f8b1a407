// What the generated code is reached through, one namespace a proto package, and the canonical form that digests are made of.

export { canonicalJson, type Json, sha256, sha256OfCanonical } from "./canonical.ts";
export { Duration } from "./gen/google/protobuf/duration.ts";
export { Timestamp } from "./gen/google/protobuf/timestamp.ts";
export * as googleErrors from "./gen/google/rpc/error_details.ts";
export { Status } from "./gen/google/rpc/status.ts";
export * as llm from "./gen/promptpo/llm/v1/llm.ts";
export * as optimizer from "./gen/promptpo/optimizer/v1/optimizer.ts";
export * as rollout from "./gen/promptpo/rollout/v1/rollout.ts";
export * as sim from "./gen/promptpo/sim/v1/sim.ts";
export * as types from "./gen/promptpo/types/v1/types.ts";
export { reflectionImageUrl } from "./image.ts";
export { type MessageType, messageType, typeNameOf } from "./message-types.ts";
export {
  bytesOfProtoJson,
  fromProtoJson,
  ProtoJsonError,
  type ProtoJsonOptions,
  protoJsonOfBytes,
  toProtoJson,
} from "./proto-json.ts";
export { durationFromMs, durationToMs, timestampFromDate, timestampToDate } from "./time.ts";
