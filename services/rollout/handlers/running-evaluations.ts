/**
 * Evaluations in flight: one piece of work for each, however many callers wait for it, here or at other replicas.
 *
 * With a request_id an evaluation runs to its end though its callers leave (a killed caller asks again and finds the
 * work done); without one it ends with its caller. Results are stored before anybody sees them. One replica works on an
 * evaluation; the others show what it stores, and one of them goes on when it dies.
 */
import type { rollout } from "@promptpo/contracts";
import { type CallContext, FleetError, type Logger } from "@promptpo/service-kit";
import type { EvaluationSpec } from "../core/evaluation-spec.ts";
import { commonDigest } from "../core/pinned-id.ts";
import { summariseEvaluation } from "../core/summarise-evaluation.ts";
import { EvaluationWork } from "./evaluation-work.ts";
import type { Claim, EvaluationKey, EvaluationRecord, Ports, Simulation } from "./ports.ts";
import { requestIdReused } from "./request-id-reused.ts";
import { ShownEpisodes } from "./shown-episodes.ts";
import { TakenOver } from "./taken-over.ts";
import { withProgress } from "./with-progress.ts";

interface Running {
  readonly spec: EvaluationSpec;
  readonly tenant: string;
  readonly shown: ShownEpisodes;
  readonly control: AbortController;
  /** Whether a sidecar of this replica has begun with it. */
  started: boolean;
  /** Settles when nothing of it goes on. Never rejects. */
  ended: Promise<void>;
}

/** Where episodes are simulated, and what. */
interface Place {
  readonly simulation: Simulation;
  readonly environment: rollout.Environment;
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
    const { simulators, pace } = this.#ports;
    using deadline = simulators.watchDeadline(context.deadlineMs);
    const signal = AbortSignal.any([context.signal, deadline.signal]);
    const { shown, control } = this.#join(spec, context);
    try {
      yield* withProgress(
        (until) => shown.messages.read(until),
        () => shown.progress(simulators.waitingCount),
        pace,
        signal,
      );
    } finally {
      if (spec.requestId === "") control.abort(signal.aborted ? signal.reason : cancelled("the caller left"));
    }
  }

  /** Whether a sidecar works on it here; undefined: it is not in flight here. */
  isStarted(key: EvaluationKey): boolean | undefined {
    return this.#durable.get(nameOf(key))?.started;
  }

  /** Ends it here, after it was cancelled in the store. */
  cancel(key: EvaluationKey): void {
    this.#durable.get(nameOf(key))?.control.abort(wasCancelled(key.requestId));
  }

  /** Lets go of all work; whoever asks again with the same request_id goes on from what is stored. */
  async stop(reason: FleetError): Promise<void> {
    const all = [...this.#all];
    for (const running of all) running.control.abort(reason);
    await Promise.all(all.map((running) => running.ended));
  }

  #join(spec: EvaluationSpec, { tenant, log }: CallContext): Running {
    const key = spec.requestId === "" ? undefined : { tenant, requestId: spec.requestId };
    const known = key === undefined ? undefined : this.#durable.get(nameOf(key));
    if (known !== undefined) {
      if (known.spec.bodySha256 !== spec.bodySha256) throw requestIdReused(spec.requestId);
      return known;
    }
    const running: Running = {
      spec,
      tenant,
      shown: new ShownEpisodes(spec.seeds.length),
      control: new AbortController(),
      started: false,
      ended: Promise.resolve(),
    };
    this.#all.add(running);
    if (key !== undefined) this.#durable.set(nameOf(key), running);
    running.ended = this.#run(running, key, log).finally(() => {
      this.#all.delete(running);
      if (key !== undefined) this.#durable.delete(nameOf(key));
    });
    return running;
  }

  async #run(running: Running, key: EvaluationKey | undefined, log: Logger): Promise<void> {
    const { shown, control } = running;
    try {
      if (key === undefined) shown.end(await this.#work(running, await this.#place(running), undefined));
      else await this.#bringToItsEnd(running, key, log);
    } catch (error) {
      const failure = control.signal.aborted ? FleetError.from(control.signal.reason) : FleetError.from(error);
      if (failure.reason === "INTERNAL") log.error({ err: failure }, "an evaluation failed for a fault of ours");
      shown.messages.fail(failure);
    }
  }

  /** Works on it or, while another replica does, shows what that one stores. */
  async #bringToItsEnd(running: Running, key: EvaluationKey, log: Logger): Promise<void> {
    const { evaluations, news } = this.#ports;
    const { spec, shown, control } = running;
    using watch = news.watch(key);
    let isWatched = false;
    for (;;) {
      const stored = await evaluations.find(key, shown.known);
      if (stored !== undefined) {
        const isOngoing = isOpen(stored, spec);
        shown.show(stored.episodes);
        // A stored result needs no sidecar.
        if (!isOngoing) return shown.end(stored.summary);
        if (stored.isHeldElsewhere) {
          if (isWatched) await watch.changed(control.signal);
          else {
            await evaluations.watch(key);
            log.info({ request_id: key.requestId }, "another replica works on the evaluation");
          }
          isWatched = true;
          continue;
        }
      }
      if (await this.#holdAndWork(running, key, log)) return;
    }
  }

  /** False: another replica was faster, or took it over. */
  async #holdAndWork(running: Running, key: EvaluationKey, log: Logger): Promise<boolean> {
    const { evaluations, replica } = this.#ports;
    const { spec, shown } = running;
    const place = await this.#place(running);
    const { environment } = place;
    const digest = commonDigest(place.simulation.fingerprint.digest, environment);
    using _held = await replica.hold();
    const opened = await evaluations.open(
      key,
      {
        bodySha256: spec.bodySha256,
        environment: environment.id,
        variant: environment.variant,
        runId: spec.runId,
        episodeCount: spec.seeds.length,
        fingerprintDigest: digest,
      },
      shown.known,
    );
    const { record, claim } = opened;
    if (claim === undefined) return false;
    let hasEnded = false;
    try {
      if (!isOpen(record, spec)) return false;
      shown.refuseOther(digest);
      shown.show(record.episodes);
      const summary = await this.#work(running, place, claim);
      const state = await evaluations.finish(claim, summary);
      if (state === "CANCELLED") throw wasCancelled(key.requestId);
      if (state === "TAKEN") return false;
      if (state === "OPEN")
        throw new FleetError("CONFLICT", `episodes of evaluation ${key.requestId} are gone; ask again`);
      hasEnded = true;
      shown.end(summary);
      return true;
    } catch (error) {
      if (!(error instanceof TakenOver) || running.control.signal.aborted) throw error;
      log.warn({ request_id: key.requestId }, "another replica took the evaluation over");
      return false;
    } finally {
      running.started = false;
      // Others need not wait for the lease to lapse.
      if (!hasEnded) {
        await evaluations.release(claim).catch((err: unknown) => log.warn({ err }, "an evaluation was not released"));
      }
    }
  }

  async #place({ spec, control }: Running): Promise<Place> {
    const { simulators } = this.#ports;
    const simulation = await simulators.simulation(control.signal);
    const environment = await simulators.environment(simulation, spec.environment, spec.variant, control.signal);
    return { simulation, environment };
  }

  /** Brings every episode together that is not shown yet. */
  async #work(
    running: Running,
    { simulation, environment }: Place,
    claim: Claim | undefined,
  ): Promise<rollout.EvaluationSummary> {
    const { spec, tenant, shown, control } = running;
    const fingerprintDigest = simulation.fingerprint.digest;
    const work = new EvaluationWork(this.#ports, { spec, tenant, environment, simulation, claim, shown });
    await work.fillFromCache();
    if (shown.missing.length > 0) {
      await this.#ports.simulators.runEpisodes(
        { tenant, environment, fingerprintDigest, spec, done: new Set(shown.known) },
        {
          started: () => {
            running.started = true;
          },
          episode: (episode) => work.simulated(episode),
        },
        control.signal,
      );
    }
    return summariseEvaluation(shown.results, {
      fingerprint: simulation.fingerprint,
      confined: shown.confined,
      cached: work.cachedCount === spec.seeds.length,
    });
  }
}

function isOpen(record: EvaluationRecord, spec: EvaluationSpec): boolean {
  if (record.bodySha256 !== spec.bodySha256) throw requestIdReused(spec.requestId);
  if (record.state === "CANCELLED") throw wasCancelled(spec.requestId);
  return record.state === "OPEN";
}

function wasCancelled(requestId: string): FleetError {
  return cancelled(`evaluation ${requestId} was cancelled`);
}

function cancelled(message: string): FleetError {
  return new FleetError("CANCELLED", message);
}

function nameOf({ tenant, requestId }: EvaluationKey): string {
  return JSON.stringify([tenant, requestId]);
}
