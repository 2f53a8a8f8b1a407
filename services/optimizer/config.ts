// The optimizer's settings, each with its environment variable, unit and default.
import { address, baseConfig, integer, setting } from "@promptpo/service-kit";
import { z } from "zod";

export const configSchema = z.object({
  ...baseConfig,
  databaseUrl: setting(z.string().min(1), {
    env: "DATABASE_URL",
    secret: true,
    about: "postgres:// URL of the optimizer's own database",
  }),
  gateway: setting(address(), { env: "PROMPTPO_GATEWAY", about: "host:port of the llm-gateway" }),
  rollout: setting(address(), { env: "PROMPTPO_ROLLOUT", about: "host:port of the rollout service" }),
  modelCalls: setting(integer({ min: 1, max: 1_000 }).default(32), {
    env: "PROMPTPO_MODEL_CALLS",
    about: "model calls in flight at most, of this replica; default 32",
  }),
  evaluations: setting(integer({ min: 1, max: 1_000 }).default(8), {
    env: "PROMPTPO_EVALUATIONS",
    about: "evaluations and summaries in flight at most, of this replica; default 8",
  }),
  sweepMs: setting(integer({ min: 100, max: 3_600_000 }).default(15_000), {
    env: "PROMPTPO_SWEEP_MS",
    about: "milliseconds between two looks for commands that the queue lost; default 15000",
  }),
  takeoverMs: setting(integer({ min: 100, max: 60_000 }).default(1_000), {
    env: "PROMPTPO_TAKEOVER_MS",
    about: "milliseconds between two looks for replicas that are gone; default 1000",
  }),
});

export type OptimizerConfig = z.output<typeof configSchema>;
