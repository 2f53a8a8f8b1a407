/**
 * The rollout service: reads its configuration, puts its parts together and serves. The only file that knows them all.
 *
 * Health: SERVING when the database answers and at least one sidecar serves. A call that comes earlier is not refused, it
 * waits; but a load balancer should prefer a replica that can simulate, and `up` should not say "ready" before it can.
 */
import { rollout } from "@promptpo/contracts";
import {
  FleetError,
  implement,
  openDatabase,
  runService,
  type ServiceEnvironment,
  type ServiceParts,
} from "@promptpo/service-kit";
import { ArtifactFolder } from "./adapters/artifact-folder.ts";
import { Dispatcher } from "./adapters/dispatch/dispatcher.ts";
import { SidecarSimulators } from "./adapters/dispatch/sidecar-simulators.ts";
import { PrometheusMetrics } from "./adapters/rollout-metrics.ts";
import { SidecarFleet } from "./adapters/sidecars/sidecar-fleet.ts";
import { sidecarSources } from "./adapters/sidecars/sidecar-sources.ts";
import { configSchema, type RolloutConfig } from "./config.ts";
import { rolloutHandlers } from "./handlers/index.ts";
import type { Ports } from "./handlers/ports.ts";
import { RunningEvaluations } from "./handlers/running-evaluations.ts";
import { EvaluationStore } from "./store/evaluation-store.ts";
import { ExactEpisodeStore } from "./store/exact-episode-store.ts";
import { patientDatabase } from "./store/patient-database.ts";
import { SummaryStore } from "./store/summary-store.ts";

/** Expected steps of a block: a tenth of a second of a fast simulator, a second of a slow one. */
const BLOCK_STEPS = 4_000;
/** Chance kills a sidecar once, bad luck twice; three times the same episode is the episode. */
const DEATHS_MOST = 3;

export async function buildRollout(environment: ServiceEnvironment<RolloutConfig>): Promise<ServiceParts> {
  const { config, log, stopping } = environment;
  const metrics = new PrometheusMetrics(environment.metrics);
  const database = patientDatabase(
    await openDatabase({
      url: config.databaseUrl,
      migrations: new URL("./store/migrations/", import.meta.url),
      log,
      signal: stopping,
    }),
  );
  const fleet = new SidecarFleet(sidecarSources(config, log), log);
  fleet.listen({
    changed: () => {},
    sidecarLost: () => metrics.restart(),
    fingerprintDisagreement: () => metrics.disagreement(),
  });
  const dispatcher = new Dispatcher(
    fleet,
    {
      scheduler: {
        tenantUnitsMost: config.tenantQueueEpisodes,
        unitsMost: config.queueEpisodes,
        blockCost: BLOCK_STEPS,
        deathsMost: DEATHS_MOST,
      },
      sidecarWaitMs: config.sidecarWaitMs,
      silenceMs: config.silenceMs,
    },
    metrics,
    log,
  );
  metrics.gauge({
    get waitingCount() {
      return dispatcher.waitingCount;
    },
    get states() {
      return fleet.states;
    },
  });
  const evaluations = new EvaluationStore(database);
  const ports: Ports = {
    evaluations,
    summaries: new SummaryStore(database),
    exactEpisodes: config.resultCache ? new ExactEpisodeStore(database) : undefined,
    artifacts: new ArtifactFolder(config.artifacts),
    simulators: new SidecarSimulators(fleet, dispatcher, config.sidecarWaitMs),
    metrics,
  };
  const running = new RunningEvaluations(ports);
  const cancellations = await evaluations.onCancelled((key) => running.cancel(key));

  return {
    services: [implement(rollout.RolloutServiceService, rolloutHandlers(ports, running))],
    async ready() {
      if (!(await database.healthy())) return "the database does not answer";
      return fleet.seats.length > 0 ? undefined : fleet.absence.message;
    },
    async drain() {
      // Work whose callers are gone: stored episodes stay, and whoever asks again goes on from there.
      await running.stop(new FleetError("SHUTTING_DOWN", "the rollout service is shutting down; ask again"));
    },
    async close() {
      await running.stop(new FleetError("SHUTTING_DOWN", "the rollout service is shutting down; ask again"));
      await fleet.stop();
      await cancellations[Symbol.asyncDispose]();
      await database.close();
    },
  };
}

if (import.meta.main) await runService({ name: "rollout", schema: configSchema, build: buildRollout });
