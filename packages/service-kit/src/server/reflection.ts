/**
 * Server reflection (v1 and v1alpha) from the descriptor set that buf wrote, for the services that are offered.
 *
 * Owns the way in which descriptors reach the library: as buf wrote them. Read through proto-loader they would lose their
 * imports and the full names of their types, and other tools than proto-loader's could not use them.
 */
import { readFileSync } from "node:fs";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { reflectionImageUrl } from "@promptpo/contracts";

export function addReflection(server: Server, services: readonly string[]): void {
  const { file } = fromBinary(FileDescriptorSetSchema, readFileSync(reflectionImageUrl));
  const fileDescriptorProtos = file.map((each) => Buffer.from(toBinary(FileDescriptorProtoSchema, each)));
  // A definition of whatever kind: only its files are read.
  const files = { format: "Protocol Buffer 3 EnumDescriptorProto", type: {}, fileDescriptorProtos } as const;
  new ReflectionService({ files }, { services: [...services] }).addToServer(server);
}
