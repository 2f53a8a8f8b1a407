/**
 * The shape of a ts-proto service definition (`optimizer.OptimizerService`), and what follows from it for handlers and
 * clients. Types only: the generated client and server classes are not used.
 */

/** One method as ts-proto describes it. `never` on the input side: any concrete message type fits. */
export interface MethodDefinition {
  /** `/promptpo.llm.v1.LlmGateway/Complete`. */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: never) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => unknown;
  readonly responseSerialize: (value: never) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

/** A whole service: method name in camelCase -> method. */
export type ServiceDefinition = Readonly<Record<string, MethodDefinition>>;

/** The message that a method takes. */
export type RequestOf<M> = M extends { requestDeserialize: (bytes: Buffer) => infer Request } ? Request : never;
/** The message that a method answers with. */
export type ResponseOf<M> = M extends { responseDeserialize: (bytes: Buffer) => infer Response } ? Response : never;

export type CallKind = "unary" | "server_stream" | "client_stream" | "bidi_stream";

/** The kind of call, named as the metrics name it. */
export function callKind(method: { readonly requestStream: boolean; readonly responseStream: boolean }): CallKind {
  if (method.requestStream) return method.responseStream ? "bidi_stream" : "client_stream";
  return method.responseStream ? "server_stream" : "unary";
}

/** `/promptpo.llm.v1.LlmGateway/Complete` in its two parts. */
export function splitPath(path: string): { readonly service: string; readonly method: string } {
  const [, service = "", method = ""] = path.split("/", 3);
  return { service, method };
}
