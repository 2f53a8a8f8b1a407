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
import { Dispatcher } from "./adapters/dispatch/dispatcher.ts";
import { SidecarSimulators } from "./adapters/dispatch/sidecar-simulators.ts";
import { PrometheusMetrics } from "./adapters/rollout-metrics.ts";
import { SidecarFleet } from "./adapters/sidecars/sidecar-fleet.ts";
import { sidecarSources } from "./adapters/sidecars/sidecar-sources.ts";
import { buildEvaluations } from "./build-evaluations.ts";
import { buildSessions } from "./build-sessions.ts";
import { configSchema, type RolloutConfig } from "./config.ts";
import { rolloutHandlers } from "./handlers/index.ts";
import { patientDatabase } from "./store/patient-database.ts";

/** Expected steps of a block: a tenth of a second of a fast simulator, a second of a slow one. */
const BLOCK_STEPS = 4_000;
/** Chance kills a sidecar once; twice in the same episode is the episode. */
const DEATHS_MOST = 2;

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
  const simulators = new SidecarSimulators(fleet, dispatcher, config.sidecarWaitMs, metrics);
  const evaluations = await buildEvaluations({ config, database, simulators, metrics, log });
  const { ports, running } = evaluations;
  const sessions = buildSessions({ config, database, fleet, simulators, registry: environment.metrics, log });

  return {
    services: [implement(rollout.RolloutServiceService, rolloutHandlers(ports, running, sessions))],
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
      await sessions.stop();
      await fleet.stop();
      await evaluations.stop();
      await database.close();
    },
  };
}

if (import.meta.main) await runService({ name: "rollout", schema: configSchema, build: buildRollout });
