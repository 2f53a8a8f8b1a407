/**
 * The part of main that puts sessions together: records, sidecars, handlers' work and the keeper.
 */
import type { Database, Logger } from "@promptpo/service-kit";
import { FleetError } from "@promptpo/service-kit";
import type { Registry } from "prom-client";
import { FleetSessionSidecars } from "./adapters/sessions/fleet-session-sidecars.ts";
import { randomNames } from "./adapters/sessions/random-names.ts";
import { SessionCounters } from "./adapters/sessions/session-counters.ts";
import { SessionKeeper } from "./adapters/sessions/session-keeper.ts";
import type { SidecarFleet } from "./adapters/sidecars/sidecar-fleet.ts";
import type { RolloutConfig } from "./config.ts";
import type { SessionPorts } from "./handlers/session-ports.ts";
import { SessionWork } from "./handlers/session-work.ts";
import { SessionStore } from "./store/session-store.ts";
import { SessionUpkeepStore } from "./store/session-upkeep-store.ts";

export interface Sessions {
  readonly ports: SessionPorts;
  readonly work: SessionWork;
  /** Ends placements and the upkeep; before the fleet stops, for it says good-bye to sidecars. May be called twice. */
  stop(): Promise<void>;
}

export function buildSessions(parts: {
  readonly config: RolloutConfig;
  readonly database: Database;
  readonly fleet: SidecarFleet;
  readonly simulators: SessionPorts["simulators"];
  readonly registry: Registry;
  readonly log: Logger;
}): Sessions {
  const { config, database, fleet, simulators, registry, log } = parts;
  const metrics = new SessionCounters(registry);
  const sidecars = new FleetSessionSidecars(
    fleet,
    {
      openMs: config.sessionOpenMs,
      waitMs: config.sidecarWaitMs,
      beforeClose: (target) => keeper.lastLook(target),
    },
    log,
  );
  const work = new SessionWork(sidecars);
  const keeper: SessionKeeper = new SessionKeeper(
    fleet,
    new SessionUpkeepStore(database),
    metrics,
    {
      reportMs: config.sessionReportMs,
      placing: () => work.placing,
      lapsed: ({ family, tenant }) => metrics.lapsed(family, tenant),
    },
    log,
  );
  return {
    ports: {
      records: new SessionStore(database),
      sidecars,
      simulators,
      names: randomNames,
      metrics,
      bounds: {
        leaseMs: Math.min(config.sessionLeaseMs, config.sessionLeaseMostMs),
        leaseMostMs: config.sessionLeaseMostMs,
      },
      quotas: {
        tenantEnvironments: config.tenantSessionEnvironments,
        sidecarEnvironments: config.sidecarSessionEnvironments,
      },
    },
    work,
    async stop() {
      await work.stop(new FleetError("SHUTTING_DOWN", "the rollout service is shutting down; ask again"));
      await keeper.stop();
    },
  };
}
