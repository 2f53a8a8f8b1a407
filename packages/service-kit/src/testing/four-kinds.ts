/**
 * For tests: one real service with a method of each kind of call, all obeying the same script, and a uniform way to call
 * them. The script is the text that a request carries.
 */
import { optimizer, sim } from "@promptpo/contracts";
import { z } from "zod";
import type { ClientOptions } from "../client/client-types.ts";
import { createClient } from "../client/create-client.ts";
import { type BaseConfig, baseConfig } from "../config/base-config.ts";
import { loadConfig } from "../config/load-config.ts";
import { FleetError } from "../errors/fleet-error.ts";
import type { CallContext, CallOptions } from "../rpc/call-context.ts";
import { implement, type ServiceImplementation } from "../rpc/implement.ts";
import { MESSAGE_BYTES_MOST } from "../rpc/limits.ts";
import { untilAborted } from "../rpc/until-aborted.ts";

/** A configuration as a service has it when its environment says only this. */
export function testConfig(env: Readonly<Record<string, string>> = {}): BaseConfig {
  return loadConfig(z.object(baseConfig), { env: { PROMPTPO_METRICS_LISTEN: "off", ...env } });
}

/** What happened inside of the handlers. */
export class Witness {
  /** Reasons with which the handlers' signals aborted. */
  readonly aborts: FleetError[] = [];
  /** Contexts of the calls, in the order of their beginning. */
  readonly contexts: CallContext[] = [];
  /** How many generators of `endless` were closed. */
  closed = 0;
  readonly #waiting: { readonly when: () => boolean; readonly resolve: () => void }[] = [];

  /** Resolves once `when` holds; checked after every change. */
  until(when: () => boolean): Promise<void> {
    if (when()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ when, resolve }));
  }

  changed(): void {
    for (const one of this.#waiting) if (one.when()) one.resolve();
  }
}

/**
 * Scripts: `echo TEXT` answers with TEXT (three times where answers stream), `fail` throws a FleetError, `bug` throws
 * something else, `broken TEXT` fails after its first message, `wait` waits for the signal, `deaf` never ends and ignores the signal, `large` answers with more than
 * a message may hold, `endless` streams until it is stopped.
 */
export function fourKinds(witness: Witness): readonly ServiceImplementation[] {
  async function* perform(script: string, context: CallContext): AsyncGenerator<string> {
    witness.contexts.push(context);
    context.signal.addEventListener("abort", () => {
      witness.aborts.push(FleetError.from(context.signal.reason));
      witness.changed();
    });
    witness.changed();
    const [word = "", text = ""] = script.split(" ", 2);
    try {
      switch (word) {
        case "echo":
          for (let i = 0; i < 3; i++) yield text;
          break;
        case "fail":
          throw new FleetError("UNKNOWN_RUN", "no run of that name; list them with promptpo list", {
            metadata: { nearest: "r-1" },
          });
        case "broken":
          yield text;
          throw new FleetError("CONFLICT", "another writer was faster; read again", { retryAfterMs: 1_500 });
        case "bug":
          throw new Error("the password is 12345678");
        case "wait":
          await untilAborted(new Promise<never>(() => undefined), context.signal);
          break;
        case "deaf":
          await new Promise<never>(() => undefined);
          break;
        case "large":
          yield "x".repeat(MESSAGE_BYTES_MOST);
          break;
        case "endless":
          for (;;) yield "x".repeat(10_000);
        default:
          throw new FleetError("INVALID_ARGUMENT", `no such script: ${word}`, {
            violations: [{ field: "script", description: "must be one of the known ones" }],
          });
      }
    } finally {
      if (word === "endless") {
        witness.closed++;
        witness.changed();
      }
    }
  }
  const first = async (script: string, context: CallContext): Promise<string> => {
    for await (const text of perform(script, context)) return text;
    return "";
  };
  return [
    implement(optimizer.OptimizerService, {
      getRun: async ({ runId }, context) =>
        optimizer.GetRunResponse.fromPartial({ run: { id: await first(runId, context) } }),
      async *watchRun({ runId }, context) {
        for await (const id of perform(runId, context)) yield optimizer.WatchRunResponse.fromPartial({ run: { id } });
      },
      importRun: async (requests, context) => {
        let script = "";
        for await (const { data } of requests) {
          script += Buffer.from(data).toString();
          if (script.startsWith("fail")) break;
        }
        return optimizer.ImportRunResponse.fromPartial({ run: { id: await first(script, context) } });
      },
    }),
    implement(sim.SimulatorService, {
      async *step(requests, context) {
        for await (const { kind } of requests) {
          if (kind?.$case !== "open") throw new FleetError("INVALID_ARGUMENT", "kind: only open is understood here");
          for await (const text of perform(kind.value.sessionId, context)) {
            yield sim.StepResponse.fromPartial({ kind: { $case: "opened", value: { unixSocket: text } } });
          }
        }
      },
    }),
  ];
}

/** The four methods as functions from a script to the texts answered. */
export interface FourClients {
  readonly unary: Caller;
  readonly server_stream: Caller;
  readonly client_stream: Caller;
  readonly bidi_stream: Caller;
  close(): void;
}

export type Caller = (script: string, call?: CallOptions) => AsyncIterable<string>;

export function fourClients(options: ClientOptions): FourClients {
  const runs = createClient(optimizer.OptimizerService, options);
  const simulator = createClient(sim.SimulatorService, options);
  return {
    async *unary(runId, call) {
      const { run } = await runs.getRun(optimizer.GetRunRequest.fromPartial({ runId }), call);
      yield run?.id ?? "";
    },
    async *server_stream(runId, call) {
      for await (const { run } of runs.watchRun(optimizer.WatchRunRequest.fromPartial({ runId }), call))
        yield run?.id ?? "";
    },
    async *client_stream(script, call) {
      const pieces = script.match(/[\s\S]{1,20000}/g) ?? [];
      const requests = pieces.map((piece) => optimizer.ImportRunRequest.fromPartial({ data: Buffer.from(piece) }));
      const { run } = await runs.importRun(requests, call);
      yield run?.id ?? "";
    },
    async *bidi_stream(sessionId, call) {
      const requests = [sim.StepRequest.fromPartial({ kind: { $case: "open", value: { sessionId } } })];
      for await (const { kind } of simulator.step(requests, call)) {
        yield kind?.$case === "opened" ? kind.value.unixSocket : "";
      }
    },
    close() {
      runs.close();
      simulator.close();
    },
  };
}
