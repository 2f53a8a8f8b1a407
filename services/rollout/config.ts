/**
 * The rollout service's settings: what every service has, its database, and where its sidecars and artifacts are.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { address, baseConfig, flag, integer, list, parseAddress, setting } from "@promptpo/service-kit";
import { z } from "zod";

const target = address().refine((text) => (parseAddress(text)?.port ?? 0) > 0, "must be host:port with a port");

export const configSchema = z.object({
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
  sidecars: setting(integer({ min: 1, max: 1_024 }).default(availableParallelism()), {
    env: "PROMPTPO_SIDECARS",
    about: "sidecars that the service starts, at most one a core; default one a core",
  }),
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
  resultCache: setting(z.union([z.boolean(), z.enum(["on", "off"]).transform((word) => word === "on")]).default(true), {
    env: "PROMPTPO_RESULT_CACHE",
    about:
      "on or off: whether an episode that was simulated before, to the last bit, is taken from the database; default on",
  }),
  tenantQueueEpisodes: setting(integer({ min: 1, max: 10_000_000 }).default(20_000), {
    env: "PROMPTPO_TENANT_QUEUE_EPISODES",
    about: "episodes that one tenant may have waiting; default 20000",
  }),
  queueEpisodes: setting(integer({ min: 1, max: 10_000_000 }).default(100_000), {
    env: "PROMPTPO_QUEUE_EPISODES",
    about: "episodes that may wait in all; default 100000",
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
});

export type RolloutConfig = z.output<typeof configSchema>;
