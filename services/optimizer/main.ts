// The optimizer's process. Everything is put together in build-optimizer.ts; the bootstrap is service-kit's.
import { runService } from "@promptpo/service-kit";
import { buildOptimizer } from "./build-optimizer.ts";
import { configSchema } from "./config.ts";

await runService({ name: "optimizer", schema: configSchema, build: buildOptimizer });
