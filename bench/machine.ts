// What the numbers were measured on.
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";

export interface Machine {
  readonly cpu: string;
  /** Those that this process may use. */
  readonly cores: number;
  readonly memory_gib: number;
  readonly kernel: string;
  /** Processes that ran or waited for a core over the last minute, when the bench began: above 0.5, numbers are doubtful. */
  readonly load: number;
  /** Of the programs that were compared. */
  readonly versions: Readonly<Record<string, string>>;
}

export function machine(versions: Readonly<Record<string, string>>): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memory_gib: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    kernel: release(),
    load: loadavg()[0] ?? 0,
    versions,
  };
}
