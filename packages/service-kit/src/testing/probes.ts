/**
 * For tests: health and reflection as their own clients ask for them.
 */
import { fileURLToPath } from "node:url";
import { type Client, Metadata } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { service as healthDefinition } from "grpc-health-check";

/** The status by name. */
export function healthOf(client: Client, service: string): Promise<string> {
  const check = healthDefinition["Check"];
  if (check === undefined) throw new Error("no Check");
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      check.path,
      check.requestSerialize,
      check.responseDeserialize,
      { service },
      new Metadata(),
      {},
      (error, value) => (error === null ? resolve(statusOf(value)) : reject(error)),
    );
  });
}

/** The statuses as they change. */
export function watchHealth(client: Client, service: string): { next(): Promise<string> } {
  const watch = healthDefinition["Watch"];
  if (watch === undefined) throw new Error("no Watch");
  const call = client.makeServerStreamRequest(
    watch.path,
    watch.requestSerialize,
    watch.responseDeserialize,
    { service },
    new Metadata(),
    {},
  );
  call.on("error", () => undefined);
  const iterator = call[Symbol.asyncIterator]();
  return { next: async () => statusOf((await iterator.next()).value) };
}

function statusOf(value: unknown): string {
  return typeof value === "object" && value !== null && "status" in value ? String(value.status) : "";
}

/** Names of the services that reflection shows. */
export async function reflectedServices(client: Client): Promise<string[]> {
  const proto = fileURLToPath(
    new URL("../proto/grpc/reflection/v1/reflection.proto", import.meta.resolve("@grpc/reflection")),
  );
  const loaded = loadSync(proto, { keepCase: true })["grpc.reflection.v1.ServerReflection"];
  if (loaded === undefined || !("ServerReflectionInfo" in loaded)) throw new Error("no reflection");
  const method = loaded["ServerReflectionInfo"];
  if (method === undefined) throw new Error("no method");
  const call = client.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    new Metadata(),
    {},
  );
  call.write({ list_services: "" });
  call.end();
  const names: string[] = [];
  for await (const message of call) {
    const answer: { list_services_response?: { service: { name: string }[] } } = message;
    for (const { name } of answer.list_services_response?.service ?? []) names.push(name);
  }
  return names;
}
