/**
 * Evaluations in flight: one piece of work for each, however many callers wait for it.
 *
 * With a request_id an evaluation runs to its end though its callers leave (a killed caller asks again and finds the
 * work done); without one it ends with its caller. Results are stored before anybody sees them.
 */
import type { rollout } from "@promptpo/contracts";
import { type CallContext, FleetError, type Logger } from "@promptpo/service-kit";
import type { EvaluationSpec } from "../core/evaluation-spec.ts";
import { summariseEvaluation } from "../core/summarise-evaluation.ts";
import { EvaluationProgress } from "./evaluation-progress.ts";
import type { EvaluationKey, EvaluationRecord, Ports } from "./ports.ts";
import { ReplayLog } from "./replay-log.ts";
import { requestIdReused } from "./request-id-reused.ts";

interface Running {
  readonly bodySha256: string;
  readonly messages: ReplayLog<rollout.EvaluatePolicyResponse>;
  readonly control: AbortController;
  /** Whether a sidecar has begun with it. */
  started: boolean;
  /** Settles when nothing of it goes on. Never rejects. */
  ended: Promise<void>;
}

export class RunningEvaluations {
  readonly #ports: Ports;
  readonly #durable = new Map<string, Running>();
  readonly #all = new Set<Running>();

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** Starts the evaluation, joins the one in flight, or replays the stored one. */
  async *evaluate(
    spec: EvaluationSpec,
    context: CallContext,
  ): AsyncGenerator<rollout.EvaluatePolicyResponse, void, void> {
    using deadline = this.#ports.simulators.watchDeadline(context.deadlineMs);
    const signal = AbortSignal.any([context.signal, deadline.signal]);
    const running = this.#join(spec, context);
    try {
      yield* running.messages.read(signal);
    } finally {
      if (spec.requestId === "") running.control.abort(signal.aborted ? signal.reason : cancelled("the caller left"));
    }
  }

  /** Whether a sidecar works on it here; undefined: it is not in flight here. */
  isStarted(key: EvaluationKey): boolean | undefined {
    return this.#durable.get(nameOf(key))?.started;
  }

  /** Ends it here, after it was cancelled in the store. */
  cancel(key: EvaluationKey): void {
    this.#durable.get(nameOf(key))?.control.abort(cancelled(`evaluation ${key.requestId} was cancelled`));
  }

  /** Lets go of all work; whoever asks again with the same request_id goes on from what is stored. */
  async stop(reason: FleetError): Promise<void> {
    const all = [...this.#all];
    for (const running of all) running.control.abort(reason);
    await Promise.all(all.map((running) => running.ended));
  }

  #join(spec: EvaluationSpec, context: CallContext): Running {
    const key = spec.requestId === "" ? undefined : { tenant: context.tenant, requestId: spec.requestId };
    const known = key === undefined ? undefined : this.#durable.get(nameOf(key));
    if (known !== undefined) {
      if (known.bodySha256 !== spec.bodySha256) throw requestIdReused(spec.requestId);
      return known;
    }
    const running: Running = {
      bodySha256: spec.bodySha256,
      messages: new ReplayLog(),
      control: new AbortController(),
      started: false,
      ended: Promise.resolve(),
    };
    this.#all.add(running);
    if (key !== undefined) this.#durable.set(nameOf(key), running);
    running.ended = this.#work(running, spec, context.tenant, key, context.log).finally(() => {
      this.#all.delete(running);
      if (key !== undefined) this.#durable.delete(nameOf(key));
    });
    return running;
  }

  async #work(
    running: Running,
    spec: EvaluationSpec,
    tenant: string,
    key: EvaluationKey | undefined,
    log: Logger,
  ): Promise<void> {
    const { messages, control } = running;
    try {
      // A stored result needs no sidecar.
      const stored = key === undefined ? undefined : await this.#ports.evaluations.find(key);
      if (stored !== undefined && !isOpen(stored, spec)) replay(stored, messages);
      else await this.#simulate(running, spec, tenant, key);
      messages.end();
    } catch (error) {
      const failure = control.signal.aborted ? FleetError.from(control.signal.reason) : FleetError.from(error);
      if (failure.reason === "INTERNAL") log.error({ err: failure }, "an evaluation failed for a fault of ours");
      messages.fail(failure);
    }
  }

  async #simulate(
    running: Running,
    spec: EvaluationSpec,
    tenant: string,
    key: EvaluationKey | undefined,
  ): Promise<void> {
    const { simulators, evaluations } = this.#ports;
    const { messages, control } = running;
    const simulation = await simulators.simulation(control.signal);
    const environment = simulation.catalogue.find(spec.environment, spec.variant);
    const opened =
      key === undefined
        ? undefined
        : await evaluations.open(key, {
            bodySha256: spec.bodySha256,
            environment: environment.id,
            variant: environment.variant,
            runId: spec.runId,
            episodeCount: spec.seeds.length,
            fingerprintDigest: simulation.fingerprint.digest,
          });
    if (opened !== undefined && !isOpen(opened, spec)) return replay(opened, messages);

    const progress = new EvaluationProgress(this.#ports, spec, environment, simulation, key, messages);
    progress.show(opened?.episodes ?? []);
    await progress.fillFromCache();
    if (progress.missing.length > 0) {
      await simulators.runEpisodes(
        {
          tenant,
          environment,
          fingerprintDigest: simulation.fingerprint.digest,
          spec,
          done: progress.done,
        },
        {
          started: () => {
            running.started = true;
          },
          episode: (episode) => progress.simulated(episode),
        },
        control.signal,
      );
    }
    const summary = summariseEvaluation(progress.results, {
      fingerprint: simulation.fingerprint,
      confined: progress.confined,
      cached: progress.cachedCount === spec.seeds.length,
    });
    if (key !== undefined) refuseUnfinished(await evaluations.finish(key, summary), key);
    messages.append({ part: { $case: "summary", value: summary } });
  }
}

function isOpen(record: EvaluationRecord, spec: EvaluationSpec): boolean {
  if (record.bodySha256 !== spec.bodySha256) throw requestIdReused(spec.requestId);
  if (record.state === "CANCELLED") throw cancelled(`evaluation ${spec.requestId} was cancelled`);
  return record.state === "OPEN";
}

function replay(record: EvaluationRecord, messages: ReplayLog<rollout.EvaluatePolicyResponse>): void {
  messages.append(...record.episodes.map(({ result }) => ({ part: { $case: "episode" as const, value: result } })));
  if (record.summary !== undefined) messages.append({ part: { $case: "summary", value: record.summary } });
}

/** Another replica may have cancelled it meanwhile, or begun it anew under another fingerprint. */
function refuseUnfinished(state: EvaluationRecord["state"], { requestId }: EvaluationKey): void {
  if (state === "CANCELLED") throw cancelled(`evaluation ${requestId} was cancelled`);
  if (state === "OPEN") {
    throw new FleetError("CONFLICT", `evaluation ${requestId} is being simulated elsewhere as well; ask again`);
  }
}

function cancelled(message: string): FleetError {
  return new FleetError("CANCELLED", message);
}

function nameOf({ tenant, requestId }: EvaluationKey): string {
  return JSON.stringify([tenant, requestId]);
}
