/**
 * Puts together what evaluations need beyond sidecars: stores, the replica's lease, news of other replicas, the pace of
 * progress, the removal of what is old. Owns what of it has to be stopped.
 */
import type { Database, Logger } from "@promptpo/service-kit";
import { ArtifactFolder } from "./adapters/artifact-folder.ts";
import { EvaluationNews } from "./adapters/evaluation-news.ts";
import { ProgressPace } from "./adapters/progress-pace.ts";
import { Pruner } from "./adapters/pruner.ts";
import { ReplicaLease } from "./adapters/replica-lease.ts";
import { TrajectoryFileFormats } from "./adapters/trajectory-files.ts";
import type { RolloutConfig } from "./config.ts";
import type { Ports } from "./handlers/ports.ts";
import { RunningEvaluations } from "./handlers/running-evaluations.ts";
import { EvaluationStore } from "./store/evaluation-store.ts";
import { ExactEpisodeStore } from "./store/exact-episode-store.ts";
import { PruneStore } from "./store/prune-store.ts";
import { ReplicaStore } from "./store/replica-store.ts";
import { SummaryStore } from "./store/summary-store.ts";

/** A replica that died is noticed within a lease; looking twice in it adds little. */
const LOOKS_A_LEASE = 4;

export interface Evaluations {
  readonly ports: Ports;
  readonly running: RunningEvaluations;
  /** After `running.stop`: nothing is held any more. */
  stop(): Promise<void>;
}

export async function buildEvaluations(given: {
  readonly config: RolloutConfig;
  readonly database: Database;
  readonly simulators: Ports["simulators"];
  readonly metrics: Ports["metrics"];
  readonly log: Logger;
}): Promise<Evaluations> {
  const { config, database, simulators, metrics, log } = given;
  const replica = new ReplicaLease(new ReplicaStore(database), config.evaluationLeaseMs, log);
  const evaluations = new EvaluationStore(database, replica.id);
  const news = new EvaluationNews(config.evaluationLeaseMs / LOOKS_A_LEASE);
  const artifacts = new ArtifactFolder(config.artifacts);
  const ports: Ports = {
    evaluations,
    replica,
    news,
    pace: new ProgressPace(config.progressMs),
    summaries: new SummaryStore(database),
    exactEpisodes: config.resultCache ? new ExactEpisodeStore(database) : undefined,
    artifacts,
    trajectoryFiles: new TrajectoryFileFormats(),
    simulators,
    metrics,
  };
  const running = new RunningEvaluations(ports);
  const cancellations = await evaluations.onCancelled((key) => running.cancel(key));
  const changes = await evaluations.onNews((key) => news.came(key));
  const { resultDays, cacheRows, artifactDays, pruneMs: everyMs } = config;
  const pruner = new Pruner(new PruneStore(database), artifacts, { resultDays, cacheRows, artifactDays, everyMs }, log);
  return {
    ports,
    running,
    async stop() {
      await pruner.stop();
      await cancellations[Symbol.asyncDispose]();
      await changes[Symbol.asyncDispose]();
      await replica.stop();
    },
  };
}
