// `promptpo call METHOD -d JSON`: any method of any service of the fleet, found by server reflection, in proto JSON both ways;
// a stream's messages one a line. Without METHOD: the methods there are.
import {
  type DescMethod,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { registry as contractsRegistry } from "@promptpo/contracts/message-types.ts";
import { FleetError, nearest } from "@promptpo/service-kit";
import { methodsOf, ReflectionClient } from "../call/reflection-client.ts";
import type { CommandContext } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { openSession } from "../session.ts";
import { UsageError } from "../usage-error.ts";

export interface CallCommandOptions {
  /** One JSON document a request message. */
  readonly dataJson?: readonly string[];
}

interface Found {
  readonly address: string;
  readonly registry: FileRegistry;
  readonly method: DescMethod;
}

export async function call(
  name: string | undefined,
  options: CallCommandOptions,
  context: CommandContext,
): Promise<ExitCode> {
  await using session = await openSession(context);
  const all = await methods([...new Set(Object.values(session.addresses))]);
  if (name === undefined) {
    for (const each of all) context.output.data(fullName(each.method));
    return EXIT.ok;
  }
  const found = find(all, name);
  const requests = (options.dataJson ?? ["{}"]).map((text) => toBytes(found, text));
  const client = new Client(found.address, credentials.createInsecure());
  try {
    for await (const bytes of invoke(client, found, requests, context)) {
      const message = fromBinary(found.method.output, bytes);
      context.output.data(JSON.stringify(toJson(found.method.output, message, { registry: found.registry })));
    }
  } catch (error) {
    throw FleetError.from(error);
  } finally {
    client.close();
  }
  return EXIT.ok;
}

async function methods(addresses: readonly string[]): Promise<Found[]> {
  const contracts = contractsRegistry();
  const found: Found[] = [];
  for (const address of addresses) {
    const reflection = new ReflectionClient(address);
    try {
      for (const service of await reflection.services()) {
        if (service.startsWith("grpc.reflection.")) continue;
        // Services of these contracts are described here already; the server is asked for all others.
        const registry = contracts.getService(service) === undefined ? await reflection.registryOf(service) : contracts;
        for (const method of methodsOf(registry, service)) found.push({ address, registry, method });
      }
    } finally {
      reflection.close();
    }
  }
  return found;
}

const fullName = (method: DescMethod): string => `${method.parent.typeName}/${method.name}`;

/** By full name, by `Service/Method`, or by the method's name where one service alone has it. */
function find(all: readonly Found[], name: string): Found {
  const wanted = name.replace(/^\//, "").replace(/\.(?=[A-Za-z]+$)/, "/");
  const matching = all.filter(({ method }) => {
    const full = fullName(method);
    return full === wanted || full.endsWith(`.${wanted}`) || method.name === name;
  });
  const names = [...new Set(matching.map(({ method }) => fullName(method)))];
  const [first] = matching;
  if (first !== undefined && names.length === 1) return first;
  if (names.length > 1)
    throw new UsageError(`${name} is a method of several services`, `Write one of: ${names.join(", ")}`);
  const known = [...new Set(all.flatMap(({ method }) => [fullName(method), method.name]))];
  const near = nearest(name, known);
  throw new FleetError("NOT_FOUND", `no service of the fleet has a method ${name}; list them: promptpo call`, {
    metadata: near.length === 0 ? {} : { nearest: near.join(",") },
  });
}

function toBytes({ method, registry }: Found, text: string): Uint8Array {
  try {
    return toBinary(method.input, fromJson(method.input, JSON.parse(text) as JsonValue, { registry }));
  } catch (error) {
    throw new UsageError(
      `-d is not a ${method.input.typeName}: ${error instanceof Error ? error.message : String(error)}`,
      `Its fields: ${method.input.fields.map((field) => field.jsonName).join(", ") || "none"}`,
    );
  }
}

async function* invoke(
  client: Client,
  { method }: Found,
  requests: readonly Uint8Array[],
  context: CommandContext,
): AsyncGenerator<Uint8Array> {
  const path = `/${fullName(method)}`;
  const keep = (bytes: Uint8Array) => Buffer.from(bytes);
  const parse = (bytes: Buffer): Uint8Array => bytes;
  const metadata = new Metadata();
  const token = context.env["PROMPTPO_TOKEN"];
  if (token !== undefined && token !== "") metadata.set("authorization", `Bearer ${token}`);
  const stream = client.makeBidiStreamRequest<Uint8Array, Uint8Array>(path, keep, parse, metadata);
  context.interrupted.addEventListener("abort", () => stream.cancel(), { once: true });
  // Every kind of call looks the same on the wire: messages out, messages in.
  for (const request of requests) stream.write(request);
  stream.end();
  yield* stream as AsyncIterable<Uint8Array>;
}
