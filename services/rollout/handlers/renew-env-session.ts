/**
 * `RenewEnvSession`: a new end for the lease on all shards; shards whose sidecar died are placed anew and begin with their
 * environments dead, so that the caller loses episodes and never the session.
 *
 * Whichever replica is asked does it; while one places shards anew, the others say REQUEST_IN_PROGRESS.
 */
import { durationFromMs, rollout, sim } from "@promptpo/contracts";
import { FleetError, type Handlers } from "@promptpo/service-kit";
import { refuse } from "../core/evaluation-spec.ts";
import { compileLease } from "../core/lease.ts";
import { isSidecarLoss } from "../core/session-losses.ts";
import { sessionMessage } from "../core/session-message.ts";
import { placeLostShards } from "../core/session-placement.ts";
import { openShards } from "./open-shards.ts";
import type { SessionPorts, SessionRecord } from "./session-ports.ts";
import { sessionView } from "./session-view.ts";
import { inProgress, type SessionWork } from "./session-work.ts";
import { unknownSession } from "./unknown-session.ts";

/** Sidecars may die while shards are opened on them; a third time it is no accident. */
const ATTEMPTS_MOST = 3;

export function renewEnvSession(
  ports: SessionPorts,
  work: SessionWork,
): Handlers<rollout.RolloutServiceService>["renewEnvSession"] {
  return async (request, context) => {
    const lease = compileLease(request.lease, ports.bounds, "lease");
    refuse([], lease.violations);
    using deadline = ports.simulators.watchDeadline(context.deadlineMs);
    const signal = AbortSignal.any([context.signal, deadline.signal, work.stopping]);
    const session = await work.inTurn(request.id, async () => {
      signal.throwIfAborted();
      return renew(ports, work, { tenant: context.tenant, id: request.id, leaseMs: lease.leaseMs }, signal);
    });
    return rollout.RenewEnvSessionResponse.create({ session: sessionMessage(sessionView(session)) });
  };
}

interface Renewal {
  readonly tenant: string;
  readonly id: string;
  /** Undefined: the session's own lease. */
  readonly leaseMs: number | undefined;
}

async function renew(
  ports: SessionPorts,
  work: SessionWork,
  { tenant, id, leaseMs }: Renewal,
  signal: AbortSignal,
): Promise<SessionRecord> {
  const { records } = ports;
  for (let attempt = 1; ; attempt++) {
    const session = await records.find(tenant, id);
    if (session?.state !== "OPEN") throw unknownSession(id);
    const lost = await renewShards(ports, session, leaseMs, signal);
    if (lost.size === 0) {
      const renewed = await records.renewed(id, leaseMs ?? session.leaseMs);
      if (renewed === undefined) throw unknownSession(id);
      return renewed;
    }
    // Nothing of it is left and its time is over: it lapsed, and nobody has swept it up yet.
    if (session.expired && lost.size === session.shards.length) {
      await records.close(tenant, id);
      throw unknownSession(id);
    }
    if (session.placing) throw inProgress(id);
    if (attempt > ATTEMPTS_MOST) throw stillLost(session, lost);
    const failure = await placeAnew(ports, work, session, lost, signal);
    const error = failure === undefined ? undefined : FleetError.from(failure.error);
    if (error !== undefined && (signal.aborted || !isSidecarLoss(error.reason))) throw error;
  }
}

function stillLost(session: SessionRecord, lost: ReadonlyMap<number, string>): FleetError {
  const [cause = ""] = lost.values();
  return new FleetError(
    "SIDECAR_DIED",
    `${lost.size} of ${session.shards.length} shards of session "${session.id}" were placed anew and lost again: ${cause}. Try again`,
    { retryAfterMs: 1_000 },
  );
}

/** Why shards are lost, by place. */
async function renewShards(
  { sidecars }: SessionPorts,
  session: SessionRecord,
  leaseMs: number | undefined,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, string>> {
  const request = sim.RenewSessionRequest.create({
    sessionId: session.id,
    lease: durationFromMs(leaseMs ?? session.leaseMs),
  });
  const answers = await Promise.all(session.shards.map(({ sidecar }) => sidecars.renew(sidecar, request, signal)));
  return new Map(answers.flatMap((answer, position) => (answer.alive ? [] : [[position, answer.cause] as const])));
}

/** Undefined: it worked as far as is known; the next look at the shards tells. */
async function placeAnew(
  { records, sidecars, quotas, metrics }: SessionPorts,
  work: SessionWork,
  session: SessionRecord,
  lost: ReadonlyMap<number, string>,
  signal: AbortSignal,
): Promise<{ readonly error: unknown } | undefined> {
  const positions = [...lost.keys()];
  const except = session.shards.flatMap(({ sidecar }, position) => (lost.has(position) ? [] : [sidecar]));
  const targets = await sidecars.targets({ least: positions.length, except }, signal);
  const counts = positions.map((position) => session.shards[position]?.environmentCount ?? 0);
  const placed = await records.replace(session, positions, (usage) => placeLostShards(counts, targets, usage, quotas));
  if (placed === undefined) throw inProgress(session.id);
  return work.place(session.id, async () => {
    // Whoever lost it may come back with it: its environments are nobody's any more.
    const left = positions.flatMap((position) => session.shards[position]?.sidecar ?? []);
    const now = new Set(placed.shards.map(({ sidecar }) => sidecar));
    void work.closeShards(
      session.id,
      left.filter((sidecar) => !now.has(sidecar)),
    );
    const { sockets, failure } = await openShards(sidecars, placed, signal, lost);
    const kept = await records.replaced(placed, sockets);
    if (kept === undefined) {
      void work.closeShards(
        session.id,
        placed.shards.map(({ sidecar }) => sidecar),
      );
      throw unknownSession(session.id);
    }
    metrics.replaced(session.family, sockets.size);
    return failure;
  });
}
