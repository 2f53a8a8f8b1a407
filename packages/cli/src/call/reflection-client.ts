// Descriptors of a server, by the standard reflection protocol (grpc.reflection.v1): which services it has, and every file
// that a method's messages need. The protocol's few fields are written and read here at wire level.

import { createFileRegistry, type DescMethod, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials } from "@grpc/grpc-js";
import { FleetError } from "@promptpo/service-kit";

const METHOD = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

interface Answer {
  readonly files: readonly Uint8Array[];
  readonly services: readonly string[];
  readonly error: string;
}

export class ReflectionClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure());
  }

  close(): void {
    this.#client.close();
  }

  /** Full names of the server's services. */
  async services(): Promise<string[]> {
    const { services } = await this.#ask((writer) => writer.uint32(tag(7)).string("*"));
    return [...services];
  }

  /** The descriptors of a service and of everything it needs. */
  async registryOf(service: string): Promise<FileRegistry> {
    const files = new Map<string, FileDescriptorProto>();
    const add = (answer: Answer): void => {
      for (const bytes of answer.files) {
        const file = fromBinary(FileDescriptorProtoSchema, bytes);
        files.set(file.name, file);
      }
    };
    add(await this.#ask((writer) => writer.uint32(tag(4)).string(service)));
    // Servers may send a file without those it imports.
    for (;;) {
      const missing = [...files.values()].flatMap((file) => file.dependency).find((name) => !files.has(name));
      if (missing === undefined) break;
      add(await this.#ask((writer) => writer.uint32(tag(3)).string(missing)));
      if (!files.has(missing)) throw new Error(`the server does not describe ${missing}`);
    }
    return registryFrom(files, service);
  }

  async #ask(write: (writer: BinaryWriter) => void): Promise<Answer> {
    const stream = this.#client.makeBidiStreamRequest<Uint8Array, Answer>(
      METHOD,
      (bytes) => Buffer.from(bytes),
      readAnswer,
    );
    try {
      return await new Promise<Answer>((resolve, reject) => {
        stream.on("data", (answer: Answer) => {
          if (answer.error === "") resolve(answer);
          else reject(new FleetError("NOT_FOUND", answer.error));
        });
        stream.on("error", (error: unknown) => reject(FleetError.from(error)));
        const writer = new BinaryWriter();
        write(writer);
        stream.write(writer.finish());
        stream.end();
      });
    } finally {
      stream.cancel();
    }
  }
}

export function methodsOf(registry: FileRegistry, service: string): readonly DescMethod[] {
  return registry.getService(service)?.methods ?? [];
}

function registryFrom(files: ReadonlyMap<string, FileDescriptorProto>, service: string): FileRegistry {
  const first = [...files.values()].find((file) =>
    file.service.some((each) => `${file.package}.${each.name}` === service),
  );
  if (first === undefined) throw new FleetError("NOT_FOUND", `the server does not describe ${service}`);
  return createFileRegistry(first, (name) => files.get(name));
}

const tag = (field: number): number => (field << 3) | 2;

function readAnswer(bytes: Buffer): Answer {
  const files: Uint8Array[] = [];
  const services: string[] = [];
  let error = "";
  eachField(bytes, (field, value) => {
    if (field === 4) eachField(value, (inner, file) => void (inner === 1 && files.push(file)));
    if (field === 6)
      eachField(value, (inner, entry) => {
        if (inner === 1)
          eachField(entry, (name, text) => void (name === 1 && services.push(Buffer.from(text).toString())));
      });
    if (field === 7)
      eachField(value, (inner, text) => {
        if (inner === 2) error = Buffer.from(text).toString();
      });
  });
  return { files, services, error };
}

/** Each length-delimited field; all others are skipped. */
function eachField(bytes: Uint8Array, visit: (field: number, value: Uint8Array) => void): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === 2) visit(field, reader.bytes());
    else reader.skip(type, field);
  }
}
