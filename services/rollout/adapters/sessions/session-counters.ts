/**
 * The sidecars' own numbers as metrics of the service. A sidecar counts from its start; here it is what was added since
 * the last report, so that a sidecar that starts again takes nothing away.
 *
 * Labels are bounded: families, sidecars by their place, the first fifty tenants.
 */
import type { sim } from "@promptpo/contracts";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { SessionMetrics } from "../../handlers/session-ports.ts";
import { BoundedLabel } from "../bounded-label.ts";
import type { SidecarLink } from "../sidecars/sidecar-link.ts";
import type { KnownSession } from "./session-upkeep.ts";

export interface ReportedSidecar {
  readonly link: SidecarLink;
  readonly name: string;
  readonly report: sim.ReportResponse;
}

/** Of one sidecar, as of its last report. */
interface Last {
  readonly name: string;
  /** One that starts again counts from zero. */
  readonly pid: bigint;
  readonly report: sim.ReportResponse;
  readonly sessions: ReadonlyMap<string, Living>;
  /** False: it is away, and its numbers only wait for its return. */
  isHere: boolean;
}
interface Living {
  readonly family: string;
  readonly tenant: string;
  readonly report: sim.SessionReport;
}
type Owner = "family" | "tenant";

const TENANTS_MOST = 50;
const FAMILIES_MOST = 50;

export class SessionCounters implements SessionMetrics {
  readonly #tenants = new BoundedLabel(TENANTS_MOST);
  readonly #families = new BoundedLabel(FAMILIES_MOST);
  /** By target. */
  readonly #last = new Map<string, Last>();
  readonly #created: Counter<Owner>;
  readonly #refused: Counter<"reason">;
  readonly #lapsed: Counter<Owner>;
  readonly #replaced: Counter<"family">;
  readonly #steps: Counter<Owner>;
  readonly #episodes: Counter<Owner>;
  readonly #deaths: Counter<Owner>;
  readonly #policyProcesses: Counter;
  readonly #workerRestarts: Counter;
  readonly #stepSeconds: Histogram<"family">;

  constructor(registry: Registry) {
    const registers = [registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Counter<L>({ name: `promptpo_rollout_${name}`, help, labelNames, registers });
    const owner: Owner[] = ["family", "tenant"];
    this.#created = counter("sessions_created_total", "Sessions that were created.", owner);
    this.#refused = counter("session_refusals_total", "Sessions that were asked for and not created.", ["reason"]);
    this.#lapsed = counter("sessions_lapsed_total", "Sessions that nobody stepped, renewed or closed in time.", owner);
    this.#replaced = counter("session_shards_replaced_total", "Shards placed anew for a lost sidecar.", ["family"]);
    this.#steps = counter("session_steps_total", "Environment steps taken in sessions.", owner);
    this.#episodes = counter("session_episodes_total", "Episodes that ended in sessions.", owner);
    this.#deaths = counter("session_deaths_total", "Environments of sessions that died.", owner);
    this.#policyProcesses = counter("policy_processes_total", "Policy processes that sidecars started.", []);
    this.#workerRestarts = counter("worker_restarts_total", "Simulator processes that died and were replaced.", []);
    this.#stepSeconds = new Histogram({
      name: "promptpo_rollout_session_step_seconds",
      help: "Time of one environment's step in sessions, sampled.",
      labelNames: ["family"],
      buckets: [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 1],
      registers,
    });
    this.#gauge(registry);
  }

  created(family: string, tenant: string): void {
    this.#created.inc(this.#owner(family, tenant));
  }
  refused(reason: string): void {
    this.#refused.inc({ reason });
  }
  lapsed(family: string, tenant: string): void {
    this.#lapsed.inc(this.#owner(family, tenant));
  }
  replaced(family: string, shardCount: number): void {
    this.#replaced.inc({ family: this.#families.of(family) }, shardCount);
  }

  /** Sessions of which nothing is known are somebody else's. */
  count({ link, name, report }: ReportedSidecar, known: ReadonlyMap<string, KnownSession>): void {
    const last = this.#lastOf(link, report, known);
    this.#policyProcesses.inc(added(report.policyProcessCount, last?.report.policyProcessCount));
    this.#workerRestarts.inc(added(report.workerRestartCount, last?.report.workerRestartCount));
    const sessions = new Map<string, Living>();
    for (const session of report.sessions) {
      const of = known.get(session.sessionId);
      if (of === undefined) continue;
      const owner = this.#owner(of.family, of.tenant);
      const before = last?.sessions.get(session.sessionId)?.report;
      this.#steps.inc(owner, added(session.stepCount, before?.stepCount));
      this.#episodes.inc(owner, added(session.episodeCount, before?.episodeCount));
      this.#deaths.inc(owner, added(session.deathCount, before?.deathCount));
      for (const seconds of session.stepSeconds) this.#stepSeconds.observe({ family: owner.family }, seconds);
      sessions.set(session.sessionId, { ...owner, report: session });
    }
    this.#last.set(link.target, { name, pid: link.hello.pid, report, sessions, isHere: true });
  }

  /** The sidecar is gone. One of another's may only be out of reach, and go on counting where it was. */
  forget({ target, isOwn }: SidecarLink): void {
    const last = this.#last.get(target);
    if (isOwn) this.#last.delete(target);
    else if (last !== undefined) last.isHere = false;
  }

  /** From where a report adds. What a sidecar of another's did before it was first heard here was counted by others. */
  #lastOf(link: SidecarLink, report: sim.ReportResponse, known: ReadonlyMap<string, KnownSession>) {
    const last = this.#last.get(link.target);
    if (last !== undefined) return last.pid === link.hello.pid ? last : undefined;
    if (link.isOwn) return undefined;
    const sessions = new Map<string, { readonly report: sim.SessionReport }>();
    for (const session of report.sessions)
      if (known.has(session.sessionId)) sessions.set(session.sessionId, { report: session });
    return { report, sessions };
  }

  #owner(family: string, tenant: string): Record<Owner, string> {
    return { family: this.#families.of(family), tenant: this.#tenants.of(tenant) };
  }

  #gauge(registry: Registry): void {
    const last = this.#last;
    const registers = [registry];
    const labelNames: Owner[] = ["family", "tenant"];
    const fill = (gauge: Gauge<Owner>, amount: (living: Living, isFirst: boolean) => number) => {
      gauge.reset();
      const seen = new Set<string>();
      for (const { sessions, isHere } of last.values()) {
        if (!isHere) continue;
        for (const [id, living] of sessions) {
          gauge.inc({ family: living.family, tenant: living.tenant }, amount(living, !seen.has(id)));
          seen.add(id);
        }
      }
    };
    new Gauge({
      name: "promptpo_rollout_sessions",
      help: "Sessions that live on this service's sidecars.",
      labelNames,
      registers,
      collect() {
        fill(this, (_, isFirst) => (isFirst ? 1 : 0));
      },
    });
    new Gauge({
      name: "promptpo_rollout_session_environments",
      help: "Environments of sessions that live on this service's sidecars.",
      labelNames,
      registers,
      collect() {
        fill(this, ({ report }) => report.environmentCount);
      },
    });
    new Gauge({
      name: "promptpo_rollout_sidecar_resident_bytes",
      help: "Resident memory of a sidecar, all its processes together.",
      labelNames: ["sidecar"],
      registers,
      collect() {
        this.reset();
        for (const { name, report, isHere } of last.values()) {
          if (isHere) this.set({ sidecar: name }, Number(report.residentBytes));
        }
      },
    });
  }
}

/** Never less than nothing: a shard that was made anew counts from zero again. */
function added(now: bigint, before: bigint | undefined): number {
  return Number(before === undefined || before > now ? now : now - before);
}
