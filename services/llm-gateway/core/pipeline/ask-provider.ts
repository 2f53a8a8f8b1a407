/**
 * The last stage: finds the model's provider and asks it, again where that can help, and settles tokens and money.
 *
 * Asked again are failures that the adapter marks so (lost connections, 408, 409, 429, 5xx), while the pause fits into the
 * deadline, nothing was handed out yet, and the caller does not forbid a second send of what may have been worked on.
 */
import { FleetError } from "@promptpo/service-kit/errors.ts";
import { fromProvider } from "../completion.ts";
import { type Charge, failure, type Outcome } from "../outcome.ts";
import type { Catalog, Clock, Meter, Notes, Provider, ProviderReply } from "../ports.ts";
import { pauseMs } from "../retry.ts";
import { type CountedTokens, costOf, type PriceTable, priceFor, usageOf } from "../usage.ts";
import type { Flow, Next } from "./flow.ts";
import { reasonOf, sleep } from "./waiting.ts";

export interface ProviderStageOptions {
  readonly catalog: Catalog;
  readonly prices: PriceTable;
  readonly clock: Clock;
  /** 0..1. */
  readonly random: () => number;
  readonly attemptsMost: number;
  /** First pause in milliseconds. */
  readonly retryBaseMs: number;
  readonly meter: Meter;
  readonly notes: Notes;
}

type Failed = Extract<ProviderReply, { kind: "failure" }>;

export function askProvider(options: ProviderStageOptions): Next {
  const { catalog, clock, meter, notes } = options;

  const chargeFor = (flow: Flow, answeredAs: string, text: string, counted: CountedTokens): Charge => {
    const usage = usageOf(counted, flow.call.messages, text);
    const charge = { usage, cost: costOf(usage, priceFor(options.prices, flow.call.model, answeredAs)) };
    meter.charge(flow.call.model, charge);
    return charge;
  };

  const ask = async (flow: Flow, provider: Provider): Promise<ProviderReply> => {
    const { call, signal, pieces } = flow;
    const start = clock.now();
    const reply = await provider.ask({
      model: call.model,
      messages: call.messages,
      parameters: call.parameters,
      signal,
      onPiece: pieces === undefined ? undefined : (piece) => pieces.append(piece),
    });
    meter.upstream({
      model: call.model,
      provider: provider.name,
      outcome: reply.kind === "answer" ? "ok" : reply.error.reason,
      seconds: (clock.now() - start) / 1000,
    });
    return reply;
  };

  const ended = (flow: Flow, reply: Failed): Outcome => {
    const { partial } = reply;
    const charge = partial === undefined ? undefined : chargeFor(flow, flow.call.model, partial.text, partial.counted);
    return failure(reply.error, reply.fate, charge);
  };

  /** Milliseconds to pause before the next attempt; undefined when there shall be none. */
  const pauseAfter = (flow: Flow, reply: Failed, attempt: number): number | undefined => {
    if (!reply.again || flow.signal.aborted || attempt >= options.attemptsMost) return undefined;
    if (flow.pieces !== undefined && flow.pieces.text !== "") return undefined;
    if (reply.fate === "unknown" && flow.call.requestId !== "" && flow.call.onUnknown === "hold") return undefined;
    const pause = pauseMs({
      attempt,
      baseMs: options.retryBaseMs,
      askedMs: reply.retryAfterMs,
      random: options.random(),
    });
    return clock.now() + pause < flow.deadline() ? pause : undefined;
  };

  return async (flow) => {
    const route = catalog.route(flow.call.model);
    if (route.kind === "none") return failure(route.error, "unsent");
    const { provider } = route;
    await flow.beforeSend();
    if (flow.signal.aborted) return failure(reasonOf(flow.signal), "unsent");
    for (let attempt = 1; ; attempt++) {
      const reply = await ask(flow, provider);
      if (reply.kind === "answer") {
        const charge = chargeFor(flow, reply.model, reply.text, reply.counted);
        return {
          kind: "answer",
          completion: fromProvider(flow.call, reply, provider.name, charge, clock.now()),
          charge,
        };
      }
      const pause = pauseAfter(flow, reply, attempt);
      if (pause === undefined) return ended(flow, reply);
      const { reason, message } = reply.error;
      meter.retried(reason);
      notes.warn(
        { model: flow.call.model, place: flow.call.place, reason, attempt, pauseMs: Math.round(pause) },
        message,
      );
      try {
        await sleep(clock, pause, flow.signal);
      } catch (error) {
        // While pausing nothing is at the provider: its last word stands.
        return failure(FleetError.from(error), reply.fate);
      }
    }
  };
}
