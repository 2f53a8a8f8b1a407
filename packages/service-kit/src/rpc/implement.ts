/**
 * A service's handlers bound to its definition.
 */
import { FleetError } from "../errors/fleet-error.ts";
import type { CallContext } from "./call-context.ts";
import type { Handlers } from "./handlers.ts";
import {
  type CallKind,
  callKind,
  type MethodDefinition,
  type ServiceDefinition,
  splitPath,
} from "./service-definition.ts";

/** A method with its types erased: what the server runs. */
export interface BoundMethod {
  readonly path: string;
  readonly kind: CallKind;
  readonly decode: (bytes: Buffer) => unknown;
  readonly encode: (response: unknown) => Buffer;
  /** Takes a request or an iterable of them, gives a promise of the response or an iterable of them. */
  readonly run: (input: unknown, context: CallContext) => unknown;
}

export interface ServiceImplementation {
  /** `promptpo.llm.v1.LlmGateway`. */
  readonly name: string;
  readonly methods: readonly BoundMethod[];
}

/** Methods without a handler answer UNIMPLEMENTED. */
export function implement<D extends ServiceDefinition>(
  definition: D,
  handlers: Partial<Handlers<D>>,
): ServiceImplementation {
  const methods = Object.entries(definition).map(([key, method]) => bind(method, handlers[key]));
  const [first] = methods;
  if (first === undefined) throw new TypeError("a service without methods");
  return { name: splitPath(first.path).service, methods };
}

/**
 * The one place where types are erased. `Handlers<D>` has tied handler and method together, which the compiler can not
 * follow through a loop over the keys; the casts below say again what it has checked at `implement`.
 */
function bind(method: MethodDefinition, handler: unknown): BoundMethod {
  const run = typeof handler === "function" ? (handler as BoundMethod["run"]) : unimplemented(method.path);
  return {
    path: method.path,
    kind: callKind(method),
    decode: method.requestDeserialize,
    encode: method.responseSerialize as BoundMethod["encode"],
    run,
  };
}

function unimplemented(path: string): BoundMethod["run"] {
  return () => {
    throw new FleetError("UNIMPLEMENTED", `this server does not offer ${path.slice(1)}`);
  };
}
