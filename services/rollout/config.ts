/**
 * The rollout service's settings: what every service has, its database, and where its sidecars and artifacts are.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { address, baseConfig, flag, integer, list, parseAddress, setting } from "@promptpo/service-kit";
import { z } from "zod";
import { LEASE_LEAST_MS } from "./core/lease.ts";

const target = address().refine((text) => (parseAddress(text)?.port ?? 0) > 0, "must be host:port with a port");

/** A list that names none, or one for each sidecar. */
function matchesTargets(config: { readonly sidecarTargets: string[]; readonly sidecarAdvertise: string[] }): boolean {
  return config.sidecarAdvertise.length === 0 || config.sidecarAdvertise.length === config.sidecarTargets.length;
}

export const configSchema = z
  .object({
    ...baseConfig,
    databaseUrl: setting(z.string().regex(/^postgres(ql)?:\/\//, "must be a postgres:// URL"), {
      env: "DATABASE_URL",
      secret: true,
      about: "postgres:// URL of the rollout service's own database",
    }),
    artifacts: setting(z.string().min(1).default(".promptpo/artifacts"), {
      env: "PROMPTPO_ARTIFACTS",
      about: "folder of videos and trajectories, made when missing; default .promptpo/artifacts",
    }),
    sidecarTargets: setting(list().pipe(z.array(target)).default([]), {
      env: "PROMPTPO_SIDECAR_TARGETS",
      about: "comma-separated host:port of sidecars that others run; set, the service starts none itself",
    }),
    sidecarAdvertise: setting(list().pipe(z.array(target)).default([]), {
      env: "PROMPTPO_SIDECAR_ADVERTISE",
      about:
        "comma-separated host:port at which clients of sessions reach the sidecars of PROMPTPO_SIDECAR_TARGETS, in the same order; default those targets",
    }),
    sidecars: setting(integer({ min: 1, max: 1_024 }).default(availableParallelism()), {
      env: "PROMPTPO_SIDECARS",
      about: "sidecars that the service starts, at most one a core; default one a core",
    }),
    sidecarPinning: setting(
      z.union([z.boolean(), z.enum(["on", "off"]).transform((word) => word === "on")]).default(true),
      {
        env: "PROMPTPO_SIDECAR_PINNING",
        about:
          "on or off: whether each sidecar that the service starts keeps its simulators and policies to a core of its own; default on",
      },
    ),
    python: setting(z.string().min(1).default("python3"), {
      env: "PROMPTPO_PYTHON",
      about: "Python interpreter that sidecars run under, with the lock set installed; default python3",
    }),
    pythonPath: setting(
      z
        .string()
        .min(1)
        .default(fileURLToPath(new URL("../../python", import.meta.url))),
      {
        env: "PROMPTPO_PYTHON_PATH",
        about: "folder that holds the package promptpo; default the checkout's python/",
      },
    ),
    unconfined: setting(flag().default(false), {
      env: "PROMPTPO_UNCONFINED",
      about: "1: run policies although they cannot be confined; every result says so; default 0",
    }),
    muJoCoGl: setting(z.string().min(1).optional(), {
      env: "MUJOCO_GL",
      about: "how sidecars draw: egl, osmesa, glfw or disable; default the sidecar's choice",
    }),
    osmesa: setting(z.string().min(1).optional(), {
      env: "PROMPTPO_OSMESA",
      about: "folder that holds libOSMesa.so where it is not installed in the system; default none",
    }),
    environments: setting(z.string().min(1).optional(), {
      env: "PROMPTPO_ENVIRONMENTS",
      about:
        "folders of environments of your own, separated as in PATH; each holds environment.toml or has subfolders that do; default none",
    }),
    resultCache: setting(
      z.union([z.boolean(), z.enum(["on", "off"]).transform((word) => word === "on")]).default(true),
      {
        env: "PROMPTPO_RESULT_CACHE",
        about:
          "on or off: whether an episode that was simulated before, to the last bit, is taken from the database; default on",
      },
    ),
    tenantQueueEpisodes: setting(integer({ min: 1, max: 10_000_000 }).default(20_000), {
      env: "PROMPTPO_TENANT_QUEUE_EPISODES",
      about: "episodes that one tenant may have waiting; default 20000",
    }),
    queueEpisodes: setting(integer({ min: 1, max: 10_000_000 }).default(100_000), {
      env: "PROMPTPO_QUEUE_EPISODES",
      about: "episodes that may wait in all; default 100000",
    }),
    tenantSessionEnvironments: setting(integer({ min: 1, max: 10_000_000 }).default(1_024), {
      env: "PROMPTPO_TENANT_SESSION_ENVIRONMENTS",
      about: "environments that one tenant may have in sessions; default 1024",
    }),
    sidecarSessionEnvironments: setting(integer({ min: 1, max: 1_000_000 }).default(512), {
      env: "PROMPTPO_SIDECAR_SESSION_ENVIRONMENTS",
      about: "environments of sessions that one sidecar carries at most; default 512",
    }),
    sessionLeaseMs: setting(integer({ min: LEASE_LEAST_MS, max: 86_400_000 }).default(60_000), {
      env: "PROMPTPO_SESSION_LEASE_MS",
      about: "milliseconds that a session lives without a step where it names no lease; default 60000",
    }),
    sessionLeaseMostMs: setting(integer({ min: LEASE_LEAST_MS, max: 7 * 86_400_000 }).default(86_400_000), {
      env: "PROMPTPO_SESSION_LEASE_MOST_MS",
      about: "milliseconds that a session's lease may have at most; default 86400000 (a day)",
    }),
    sessionOpenMs: setting(integer({ min: 100, max: 3_600_000 }).default(120_000), {
      env: "PROMPTPO_SESSION_OPEN_MS",
      about: "milliseconds that a sidecar has to make a session's environments; default 120000",
    }),
    sessionReportMs: setting(integer({ min: 10, max: 60_000 }).default(1_000), {
      env: "PROMPTPO_SESSION_REPORT_MS",
      about: "milliseconds between two looks at what lives in the sidecars; default 1000",
    }),
    progressMs: setting(integer({ min: 10, max: 3_600_000 }).default(1_000), {
      env: "PROMPTPO_PROGRESS_MS",
      about: "milliseconds between two messages that tell callers how far an evaluation is; default 1000",
    }),
    evaluationLeaseMs: setting(integer({ min: 100, max: 3_600_000 }).default(5_000), {
      env: "PROMPTPO_EVALUATION_LEASE_MS",
      about: "milliseconds without a sign of life after which other replicas take over this one's work; default 5000",
    }),
    resultDays: setting(integer({ min: 0, max: 36_500 }).default(30), {
      env: "PROMPTPO_RESULT_DAYS",
      about: "days that evaluations and summaries are kept under their request_id; 0: for ever; default 30",
    }),
    cacheRows: setting(integer({ min: 0, max: 1_000_000_000 }).default(1_000_000), {
      env: "PROMPTPO_CACHE_ROWS",
      about: "exact episodes that the result cache keeps, the newest; 0: all; default 1000000",
    }),
    artifactDays: setting(integer({ min: 0, max: 36_500 }).default(30), {
      env: "PROMPTPO_ARTIFACT_DAYS",
      about:
        "days that an artifact to which no kept evaluation refers is kept after its last use; 0: for ever; default 30",
    }),
    pruneMs: setting(integer({ min: 10, max: 86_400_000 }).default(3_600_000), {
      env: "PROMPTPO_PRUNE_MS",
      about: "milliseconds between two removals of old results and artifacts; default 3600000",
    }),
    sidecarWaitMs: setting(integer({ min: 100, max: 3_600_000 }).default(60_000), {
      env: "PROMPTPO_SIDECAR_WAIT_MS",
      about:
        "milliseconds that work waits while no sidecar serves, before it is given back with NO_SIDECAR; default 60000",
    }),
    sidecarStartMs: setting(integer({ min: 100, max: 3_600_000 }).default(60_000), {
      env: "PROMPTPO_SIDECAR_START_MS",
      about: "milliseconds that a sidecar has from its start to its handshake; default 60000",
    }),
    silenceMs: setting(integer({ min: 100, max: 3_600_000 }).default(60_000), {
      env: "PROMPTPO_SIDECAR_SILENCE_MS",
      about:
        "milliseconds without a sign of life after which a working sidecar counts as hung and is ended; default 60000",
    }),
  })
  .refine(matchesTargets, {
    path: ["sidecarAdvertise"],
    error: "must name one host:port for each of PROMPTPO_SIDECAR_TARGETS, or none at all",
  });

export type RolloutConfig = z.output<typeof configSchema>;
