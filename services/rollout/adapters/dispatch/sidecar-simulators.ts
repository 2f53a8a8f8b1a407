/**
 * The handlers' port `Simulators` over the fleet of sidecars and its queue.
 */
import type { rollout } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import type {
  EpisodeListener,
  EpisodesOrder,
  RenderedVideo,
  RenderOrder,
  Simulation,
  Simulators,
  SummaryOrder,
} from "../../handlers/ports.ts";
import { DescribedEnvironments } from "../sidecars/described-environments.ts";
import { FleetWatch } from "../sidecars/fleet-watch.ts";
import type { SidecarFleet } from "../sidecars/sidecar-fleet.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { episodesJob, type StepMetrics } from "./episodes-job.ts";
import type { Job } from "./job.ts";
import { renderJob } from "./render-job.ts";
import { summaryJob } from "./summary-job.ts";

/** Before a caller's deadline: late enough to have waited, early enough that the answer still arrives. */
const BEFORE_DEADLINE_MS = 300;
/** setTimeout's own limit; a later deadline is no deadline. */
const TIMER_MOST_MS = 2 ** 31 - 1;

export class SidecarSimulators implements Simulators {
  readonly #fleet: SidecarFleet;
  readonly #dispatcher: Dispatcher;
  readonly #metrics: StepMetrics;
  readonly #watch: FleetWatch;
  readonly #described: DescribedEnvironments;

  constructor(fleet: SidecarFleet, dispatcher: Dispatcher, waitMs: number, metrics: StepMetrics) {
    this.#fleet = fleet;
    this.#dispatcher = dispatcher;
    this.#metrics = metrics;
    this.#watch = new FleetWatch(fleet, waitMs);
    this.#described = new DescribedEnvironments(fleet, this.#watch, (seat) => dispatcher.isBusy(seat));
  }

  get waitingCount(): number {
    return this.#dispatcher.waitingCount;
  }

  simulation(signal: AbortSignal): Promise<Simulation> {
    return this.#watch.until(() => this.#fleet.simulation, signal);
  }

  environment(
    { catalogue }: Simulation,
    id: string,
    variant: string,
    signal: AbortSignal,
  ): Promise<rollout.Environment> {
    return this.#described.find(catalogue, id, variant, signal);
  }

  runEpisodes(order: EpisodesOrder, listener: EpisodeListener, signal: AbortSignal): Promise<void> {
    return this.#submit(episodesJob(order, listener, this.#metrics), signal);
  }

  async summarize(order: SummaryOrder, signal: AbortSignal): Promise<rollout.SummarizeTrajectoriesResponse> {
    const summaries: rollout.TrajectorySummary[] = [];
    let stepCount = 0n;
    await this.#submit(
      summaryJob(order, (unit, summary, steps) => {
        summaries[unit] = summary;
        stepCount += steps;
      }),
      signal,
    );
    return { summaries, stepCount };
  }

  async render(order: RenderOrder, signal: AbortSignal): Promise<RenderedVideo> {
    let answer: RenderedVideo | undefined;
    await this.#submit(
      renderJob(order, (video) => {
        answer = video;
      }),
      signal,
    );
    return given(answer);
  }

  async #submit(job: Job, signal: AbortSignal): Promise<void> {
    try {
      await this.#dispatcher.submit(job, signal);
    } catch (error) {
      // An environment's code is not what it was said to be.
      if (error instanceof FleetError && error.reason === "CONFLICT") this.#described.forget();
      throw error;
    }
  }

  watchDeadline(deadlineMs: number | undefined): { readonly signal: AbortSignal } & Disposable {
    const control = new AbortController();
    const inMs = (deadlineMs ?? Number.POSITIVE_INFINITY) - Date.now() - BEFORE_DEADLINE_MS;
    const look = () => {
      if (this.#fleet.seats.length === 0) control.abort(this.#fleet.absence);
    };
    const timer = inMs > TIMER_MOST_MS ? undefined : setTimeout(look, Math.max(0, inMs));
    return { signal: control.signal, [Symbol.dispose]: () => clearTimeout(timer) };
  }
}

function given<T>(answer: T | undefined): T {
  if (answer === undefined) throw new FleetError("INTERNAL", "a job ended without its answer");
  return answer;
}
