/**
 * Where this service's sidecars come from, by its configuration: processes of its own, or addresses of others'.
 */
import { availableParallelism } from "node:os";
import type { Logger } from "@promptpo/service-kit";
import type { RolloutConfig } from "../../config.ts";
import { childEnvironment } from "./child-environment.ts";
import { ChildSidecar } from "./child-sidecar.ts";
import { RemoteSidecar } from "./remote-sidecar.ts";
import type { SidecarSource } from "./sidecar-link.ts";

export function sidecarSources(config: RolloutConfig, log: Logger): SidecarSource[] {
  const terms = { timeoutMs: config.sidecarStartMs, unconfined: config.unconfined };
  if (config.unconfined) log.warn("PROMPTPO_UNCONFINED is set: policies run with the rights of their sidecar");
  if (config.sidecarTargets.length > 0) {
    return config.sidecarTargets.map(
      (target, at) => new RemoteSidecar({ target, advertise: config.sidecarAdvertise[at], terms }),
    );
  }
  const cores = availableParallelism();
  const count = Math.min(config.sidecars, cores);
  if (count < config.sidecars) log.warn({ asked: config.sidecars, cores }, "one sidecar a core is started, not more");
  const environment = childEnvironment(config, process.env);
  return Array.from(
    { length: count },
    (_, index) =>
      new ChildSidecar({
        name: `sidecar ${index}`,
        python: config.python,
        environment: config.sidecarPinning ? { ...environment, PROMPTPO_SIDECAR_CORE: String(index) } : environment,
        terms,
        log,
      }),
  );
}
