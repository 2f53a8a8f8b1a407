// Puts the optimizer together: database, queue, replica, peers, workers, handlers. Owns the order of starting and of
// stopping, and the timers of the sweep. Tests build it within their own process.
import { randomUUID } from "node:crypto";
import { optimizer } from "@promptpo/contracts";
import {
  clientOptionsOf,
  implement,
  openDatabase,
  type ServiceEnvironment,
  type ServiceParts,
} from "@promptpo/service-kit";
import { createDomainMetrics } from "./adapters/domain-metrics.ts";
import { openGateway } from "./adapters/gateway.ts";
import { openRollout } from "./adapters/rollout.ts";
import type { OptimizerConfig } from "./config.ts";
import { runIdFrom } from "./core/candidate-id.ts";
import { getCandidate, listCandidates, listRounds } from "./handlers/candidates.ts";
import { createRun } from "./handlers/create-run.ts";
import { getRun } from "./handlers/get-run.ts";
import { listRuns } from "./handlers/list-runs.ts";
import type { HandlerPorts } from "./handlers/ports.ts";
import { cancelRun, pauseRun, resumeRun } from "./handlers/steer-run.ts";
import { watchRun } from "./handlers/watch-run.ts";
import { COMMAND_CHANNEL, CommandQueue } from "./store/command-queue.ts";
import { Replica } from "./store/replica.ts";
import { RunList } from "./store/run-list.ts";
import { countRunsByState } from "./store/run-rows.ts";
import { RunStore } from "./store/run-store.ts";
import { RunWatch } from "./store/run-watch.ts";
import { WorkQueue } from "./store/work-queue.ts";
import { CommandLoop } from "./workers/command-loop.ts";
import { pause } from "./workers/pause.ts";
import { performJob } from "./workers/perform-job.ts";

const POOL_SIZE = 12;
/** Without a word of news, workers look for commands that often: waiting commands come due without one. */
const POLL_MS = 1_000;

export async function buildOptimizer(env: ServiceEnvironment<OptimizerConfig>): Promise<ServiceParts> {
  const { config, log, metrics: registry, stopping } = env;
  const url = config.databaseUrl;
  const migrations = new URL("./store/migrations/", import.meta.url);
  const database = await openDatabase({ url, migrations, log, poolSize: POOL_SIZE, signal: stopping });
  const queue = await CommandQueue.open(url, log);
  const metrics = createDomainMetrics(registry, {
    runsByState: () => countRunsByState(database),
    queueDepths: () => queue.depths(database),
  });
  const replica = await Replica.join({
    url,
    database,
    queue,
    log,
    lookMs: config.takeoverMs,
    onTakeover: (jobs) => metrics.takeover(jobs),
  });
  const store = new RunStore(database, queue);
  const watch = await RunWatch.open(database);
  const gateway = openGateway(clientOptionsOf(config, { target: config.gateway, unavailable: "GATEWAY_UNAVAILABLE" }));
  const rollout = openRollout(clientOptionsOf(config, { target: config.rollout, unavailable: "ROLLOUT_UNAVAILABLE" }));

  const work = { store, peers: { gateway, rollout }, observer: metrics, log, now: () => Date.now() };
  const workQueue = new WorkQueue(database, queue, replica);
  const rooms = { model: config.modelCalls, rollout: config.evaluations };
  const loops = (["model", "rollout"] as const).map(
    (name) =>
      new CommandLoop({
        queue: workQueue,
        name,
        room: rooms[name],
        pollMs: POLL_MS,
        log,
        perform: (job, abandon) => performJob(work, job, abandon),
      }),
  );
  watch.onEnd((runId) => {
    for (const loop of loops) loop.abandonRun(runId);
  });
  const listening = await database.listen(COMMAND_CHANNEL, () => {
    for (const loop of loops) loop.wake();
  });

  const leaving = new AbortController();
  const sweeping = (async () => {
    while (!leaving.signal.aborted) {
      try {
        await store.sweep(leaving.signal);
      } catch (error) {
        log.debug({ err: error }, "cannot sweep now");
      }
      await pause(config.sweepMs, leaving.signal);
    }
  })();
  for (const loop of loops) loop.start();

  const ports: HandlerPorts = {
    log,
    runs: store,
    list: new RunList(database),
    news: watch,
    environments: rollout,
    models: gateway,
    stopping,
    newRunId: () => runIdFrom(randomUUID()),
    runCreated: () => metrics.runCreated(),
  };
  let drained: Promise<void> | undefined;
  const drain = (): Promise<void> => {
    drained ??= (async () => {
      leaving.abort();
      await Promise.all(loops.map((loop) => loop.stop()));
      await sweeping;
    })();
    return drained;
  };
  // Workers give back what they have while the last calls still end.
  stopping.addEventListener("abort", () => void drain());
  return {
    services: [
      implement(optimizer.OptimizerService, {
        createRun: createRun(ports),
        getRun: getRun(ports),
        listRuns: listRuns(ports),
        watchRun: watchRun(ports),
        cancelRun: cancelRun(ports),
        pauseRun: pauseRun(ports),
        resumeRun: resumeRun(ports),
        listRounds: listRounds(ports),
        listCandidates: listCandidates(ports),
        getCandidate: getCandidate(ports),
      }),
    ],
    ready: async () => ((await database.healthy()) ? undefined : "the database does not answer"),
    drain,
    async close() {
      await drain();
      await replica.leave();
      gateway.close();
      rollout.close();
      await listening[Symbol.asyncDispose]();
      await watch.close();
      await queue.close();
      await database.close();
    },
  };
}
