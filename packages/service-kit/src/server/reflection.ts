/**
 * Server reflection (v1 and v1alpha) from the descriptor set that buf wrote, for the services that are offered.
 */
import { readFileSync } from "node:fs";
import type { Server } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { reflectionImageUrl } from "@promptpo/contracts";

export function addReflection(server: Server, services: readonly string[]): void {
  const image = loadFileDescriptorSetFromBuffer(readFileSync(reflectionImageUrl));
  new ReflectionService(image, { services: [...services] }).addToServer(server);
}
