/**
 * A fake sidecar's sessions: what was opened lives until it is closed or forgotten; nothing is stepped, no lease runs out
 * by itself. Tests say what its next report tells.
 */
import { durationFromMs, durationToMs, sim } from "@promptpo/contracts";
import { FleetError, type Handlers } from "@promptpo/service-kit";

/** Called before the answer: throw to fail the call, wait to hold it up. */
export interface FakeSessionBehaviour {
  readonly beforeOpen?: (request: sim.OpenSessionRequest, signal: AbortSignal) => Promise<void>;
  readonly beforeRenew?: (request: sim.RenewSessionRequest, signal: AbortSignal) => Promise<void>;
  readonly beforeClose?: (request: sim.CloseSessionRequest, signal: AbortSignal) => Promise<void>;
}

export interface FakeSession {
  readonly request: sim.OpenSessionRequest;
  report: sim.SessionReport;
}

export class FakeSessions {
  /** Requests to open that came, in order, whether or not they were answered. */
  readonly opened: sim.OpenSessionRequest[] = [];
  readonly renewed: sim.RenewSessionRequest[] = [];
  readonly closed: string[] = [];
  /** What lives. */
  readonly living = new Map<string, FakeSession>();
  /** What a report tells beside the sessions. */
  numbers = { residentBytes: 0n, policyProcessCount: 0n, workerRestartCount: 0n };
  readonly #behaviour: FakeSessionBehaviour;
  readonly #changes = new Set<() => void>();

  constructor(behaviour: FakeSessionBehaviour) {
    this.#behaviour = behaviour;
  }

  /** What the next report tells of a session. */
  tell(id: string, more: Partial<sim.SessionReport>): void {
    const session = this.living.get(id);
    if (session === undefined) throw new Error(`no session ${id} lives here`);
    session.report = { ...session.report, ...more };
  }

  /** As if the sidecar had been started anew. */
  forget(): void {
    this.living.clear();
  }

  /** Resolves once it holds; looked at after every call. */
  async until(holds: (sessions: FakeSessions) => boolean): Promise<void> {
    while (!holds(this)) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#changes.delete(wake);
          resolve();
        };
        this.#changes.add(wake);
      });
    }
  }

  get handlers(): Partial<Handlers<sim.SimulatorService>> {
    return {
      openSession: async (request, { signal }) => {
        this.opened.push(request);
        this.#wake();
        await this.#behaviour.beforeOpen?.(request, signal);
        this.living.set(request.sessionId, { request, report: firstReport(request) });
        this.#wake();
        return sim.OpenSessionResponse.fromPartial({
          opened: {
            environmentCount: request.environmentCount,
            unixSocket: `/tmp/fake/${request.sessionId}`,
            ...(request.lease === undefined ? {} : { lease: request.lease }),
            autoresetMode: request.autoresetMode,
          },
        });
      },
      renewSession: async (request, { signal }) => {
        this.renewed.push(request);
        this.#wake();
        await this.#behaviour.beforeRenew?.(request, signal);
        const session = this.living.get(request.sessionId);
        if (session === undefined) throw new FleetError("UNKNOWN_SESSION", "lapsed or closed; create a new one");
        const leaseLeft = request.lease ?? session.request.lease;
        if (leaseLeft !== undefined) this.tell(request.sessionId, { leaseLeft });
        return sim.RenewSessionResponse.create({ leaseLeft });
      },
      closeSession: async (request, { signal }) => {
        await this.#behaviour.beforeClose?.(request, signal);
        this.closed.push(request.sessionId);
        this.living.delete(request.sessionId);
        this.#wake();
        return sim.CloseSessionResponse.create();
      },
      report: async () => {
        const sessions = [...this.living.values()].map(({ report }) => report);
        // Samples are those since the last report.
        for (const [id] of this.living) this.tell(id, { stepSeconds: [] });
        queueMicrotask(() => this.#wake());
        return sim.ReportResponse.fromPartial({ ...this.numbers, sessions });
      },
    };
  }

  #wake(): void {
    for (const wake of [...this.#changes]) wake();
  }
}

function firstReport(request: sim.OpenSessionRequest): sim.SessionReport {
  return sim.SessionReport.fromPartial({
    sessionId: request.sessionId,
    environment: request.environment,
    environmentCount: request.environmentCount,
    leaseLeft: durationFromMs(request.lease === undefined ? 0 : durationToMs(request.lease)),
  });
}
