// `fleet.json`: what other commands need to know of a fleet that is up: who owns it, where it listens, which processes are
// its own. No secrets in it. Only the folder's owner writes; whoever reads believes a process only with its start time.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

export const SERVICES = ["gateway", "rollout", "optimizer"] as const;
export type ServiceName = (typeof SERVICES)[number];

const Identity = z.object({ pid: z.number().int(), start: z.string() });
const Service = z.object({
  /** host:port of gRPC. */
  address: z.string(),
  /** host:port of /metrics. */
  metrics: z.string(),
  /** Absent while it is not running. */
  process: Identity.optional(),
});

const State = z.object({
  version: z.literal(1),
  phase: z.enum(["starting", "up", "stopping"]),
  owner: Identity,
  /** RFC 3339. */
  since: z.string(),
  /** The command that owns it, for people. */
  purpose: z.string(),
  /** Folder of recorded answers, and whether they are read or written; absent: answers come from a provider. */
  recording: z.object({ folder: z.string(), mode: z.enum(["replay", "record"]) }).optional(),
  services: z.object({ gateway: Service, rollout: Service, optimizer: Service }),
});

export type FleetState = z.infer<typeof State>;
export type Recording = NonNullable<FleetState["recording"]>;

const file = (folder: string): string => join(folder, "fleet.json");

/** What the last owner wrote; undefined when there is none, or it cannot be read. */
export function readFleetState(folder: string): FleetState | undefined {
  try {
    return State.parse(JSON.parse(readFileSync(file(folder), "utf8")));
  } catch {
    return undefined; // no fleet yet, or one of another version: its processes are found by the database's own lock
  }
}

export function writeFleetState(folder: string, state: FleetState): void {
  const draft = `${file(folder)}.draft`;
  writeFileSync(draft, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, file(folder));
}
