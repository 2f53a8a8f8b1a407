/**
 * For tests: the smallest real service, run as a process of its own. `TINY_BUILD` says how its build behaves.
 */
import { optimizer } from "@promptpo/contracts";
import { z } from "zod";
import { baseConfig } from "../config/base-config.ts";
import { setting } from "../config/setting.ts";
import { implement } from "../rpc/implement.ts";
import { untilAborted } from "../rpc/until-aborted.ts";
import { runService } from "../server/run-service.ts";

const never = new Promise<never>(() => undefined);

await runService({
  name: "tiny",
  schema: z.object({
    ...baseConfig,
    tinyBuild: setting(z.enum(["works", "hangs", "waits", "fails"]).default("works"), {
      env: "TINY_BUILD",
      about: "how building goes: works, hangs, waits or fails",
    }),
  }),
  async build({ config, log, stopping }) {
    if (config.tinyBuild === "fails") throw new Error("no room on the disk");
    if (config.tinyBuild !== "works") log.info("building");
    if (config.tinyBuild === "hangs") await never;
    if (config.tinyBuild === "waits") await untilAborted(never, stopping);
    return {
      services: [
        implement(optimizer.OptimizerService, {
          getRun: async ({ runId }, context) => {
            log.info({ runId }, "called");
            // "slow" ends when the service starts to stop, "stuck" when it is cut off.
            if (runId === "slow") await untilAborted(never, stopping).catch(() => undefined);
            if (runId === "stuck") await untilAborted(never, context.signal);
            if (runId === "crash") setImmediate(() => Promise.reject(new Error("nobody caught this")));
            return optimizer.GetRunResponse.fromPartial({ run: { id: runId } });
          },
        }),
      ],
      drain: async () => log.info("drained"),
      close: async () => log.info("closed"),
    };
  },
});
