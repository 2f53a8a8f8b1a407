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
import type { SidecarFleet } from "../sidecars/sidecar-fleet.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { episodesJob } from "./episodes-job.ts";
import { renderJob } from "./render-job.ts";
import { summaryJob } from "./summary-job.ts";

/** Before a caller's deadline: late enough to have waited, early enough that the answer still arrives. */
const BEFORE_DEADLINE_MS = 300;
/** setTimeout's own limit; a later deadline is no deadline. */
const TIMER_MOST_MS = 2 ** 31 - 1;

export class SidecarSimulators implements Simulators {
  readonly #fleet: SidecarFleet;
  readonly #dispatcher: Dispatcher;
  readonly #waitMs: number;
  readonly #waiting = new Set<() => void>();

  constructor(fleet: SidecarFleet, dispatcher: Dispatcher, waitMs: number) {
    this.#fleet = fleet;
    this.#dispatcher = dispatcher;
    this.#waitMs = waitMs;
    fleet.listen({
      changed: () => {
        for (const look of [...this.#waiting]) look();
      },
      sidecarLost: () => {},
      fingerprintDisagreement: () => {},
    });
  }

  simulation(signal: AbortSignal): Promise<Simulation> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        this.#waiting.delete(look);
        clearTimeout(timer);
        signal.removeEventListener("abort", leave);
        settle();
      };
      const leave = () => finish(() => reject(signal.reason));
      const look = () => {
        const known = this.#fleet.simulation;
        const hopeless = this.#fleet.hopeless;
        if (known !== undefined) finish(() => resolve(known));
        else if (hopeless !== undefined) finish(() => reject(hopeless));
      };
      const timer = setTimeout(() => finish(() => reject(this.#fleet.absence)), this.#waitMs);
      this.#waiting.add(look);
      signal.addEventListener("abort", leave, { once: true });
      if (signal.aborted) leave();
      else look();
    });
  }

  runEpisodes(order: EpisodesOrder, listener: EpisodeListener, signal: AbortSignal): Promise<void> {
    return this.#dispatcher.submit(episodesJob(order, listener), signal);
  }

  async summarize(order: SummaryOrder, signal: AbortSignal): Promise<rollout.SummarizeTrajectoriesResponse> {
    const summaries: rollout.TrajectorySummary[] = [];
    let stepCount = 0n;
    await this.#dispatcher.submit(
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
    await this.#dispatcher.submit(
      renderJob(order, (video) => {
        answer = video;
      }),
      signal,
    );
    return given(answer);
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
