/**
 * `CreateEnvSession`: reserves room, opens a shard on each sidecar, and gives the session only when all are open.
 *
 * With a request_id a repeated call gets the same session while it lives, and the creation goes on when its caller leaves;
 * without one it ends with its caller and leaves nothing behind.
 */
import { rollout } from "@promptpo/contracts";
import { type CallContext, FleetError, type Handlers } from "@promptpo/service-kit";
import { isSidecarLoss } from "../core/session-losses.ts";
import { sessionMessage } from "../core/session-message.ts";
import { placeSession } from "../core/session-placement.ts";
import { parseSession, type SessionSpec } from "../core/session-spec.ts";
import { openShards } from "./open-shards.ts";
import { requestIdReused } from "./request-id-reused.ts";
import type { SessionPorts, SessionRecord } from "./session-ports.ts";
import { sessionView } from "./session-view.ts";
import { inProgress, type SessionWork } from "./session-work.ts";

/** Sidecars may die while shards are opened on them; a third time it is no accident. */
const ATTEMPTS_MOST = 3;

export function createEnvSession(
  ports: SessionPorts,
  work: SessionWork,
): Handlers<rollout.RolloutServiceService>["createEnvSession"] {
  return async (request, context) => {
    try {
      const spec = parseSession(request, ports.bounds);
      const session = await (spec.requestId === ""
        ? createFor(ports, work, spec, context)
        : createOnce(ports, work, spec, context));
      return rollout.CreateEnvSessionResponse.create({ session: sessionMessage(sessionView(session)) });
    } catch (error) {
      ports.metrics.refused(FleetError.from(error).reason);
      throw error;
    }
  };
}

/** Without a request_id: nobody can ask for it again, so it must not outlive a caller who does not get it. */
async function createFor(
  ports: SessionPorts,
  work: SessionWork,
  spec: SessionSpec,
  context: CallContext,
): Promise<SessionRecord> {
  using deadline = ports.simulators.watchDeadline(context.deadlineMs);
  const signal = AbortSignal.any([context.signal, deadline.signal, work.stopping]);
  const session = await create(ports, work, spec, context.tenant, signal);
  if (!context.signal.aborted) return session;
  await ports.records.close(context.tenant, session.id);
  void work.closeShards(session.id, targetsOf(session));
  throw context.signal.reason;
}

async function createOnce(
  ports: SessionPorts,
  work: SessionWork,
  spec: SessionSpec,
  context: CallContext,
): Promise<SessionRecord> {
  const { tenant } = context;
  const { requestId, bodySha256 } = spec;
  using deadline = ports.simulators.watchDeadline(context.deadlineMs);
  const joined = work.join(JSON.stringify([tenant, requestId]), bodySha256, async () => {
    const known = await ports.records.findByRequest({ tenant, requestId });
    return known === undefined ? create(ports, work, spec, tenant, work.stopping) : sameSession(known, spec);
  });
  if (joined.bodySha256 !== bodySha256) throw requestIdReused(requestId);
  return untilAborted(joined.outcome, AbortSignal.any([context.signal, deadline.signal]));
}

async function create(
  ports: SessionPorts,
  work: SessionWork,
  spec: SessionSpec,
  tenant: string,
  signal: AbortSignal,
): Promise<SessionRecord> {
  const { records, sidecars, simulators, names, quotas, metrics } = ports;
  const simulation = await simulators.simulation(signal);
  const environment = await simulators.environment(simulation, spec.environment, spec.variant, signal);
  for (let attempt = 1; ; attempt++) {
    const targets = await sidecars.targets({ least: 1, except: [] }, signal);
    const fresh = {
      id: names.id(),
      token: names.token(),
      tenant,
      requestId: spec.requestId,
      bodySha256: spec.bodySha256,
      family: environment.family,
      leaseMs: spec.leaseMs,
      spec: resolved(spec, environment),
    };
    const reserved = await records.reserve(fresh, (usage) =>
      placeSession(spec.environmentCount, targets, usage, quotas),
    );
    if (reserved.id !== fresh.id) return sameSession(reserved, spec);
    const outcome = await work.place(reserved.id, () => openAll(ports, work, reserved, signal));
    if (outcome.opened !== undefined) {
      metrics.created(environment.family, tenant);
      return outcome.opened;
    }
    const error = FleetError.from(outcome.error);
    if (signal.aborted || attempt >= ATTEMPTS_MOST || !isSidecarLoss(error.reason)) throw error;
  }
}

type Outcome = { readonly opened: SessionRecord } | { readonly opened: undefined; readonly error: unknown };

/** All shards, or none. */
async function openAll(
  { records, sidecars }: SessionPorts,
  work: SessionWork,
  reserved: SessionRecord,
  signal: AbortSignal,
): Promise<Outcome> {
  let error: unknown;
  try {
    const { sockets, failure } = await openShards(sidecars, reserved, signal);
    const opened = failure === undefined ? await records.opened(reserved.id, sockets) : undefined;
    if (opened !== undefined) return { opened };
    error = failure === undefined ? inProgress(reserved.id) : failure.error;
  } catch (thrown) {
    error = thrown;
  }
  void work.closeShards(reserved.id, targetsOf(reserved));
  await records.abandon(reserved.id);
  return { opened: undefined, error };
}

function sameSession(session: SessionRecord, spec: SessionSpec): SessionRecord {
  if (session.bodySha256 !== spec.bodySha256) throw requestIdReused(spec.requestId);
  if (session.state !== "OPEN") throw inProgress(session.id);
  return session;
}

function resolved(spec: SessionSpec, environment: rollout.Environment): rollout.CreateEnvSessionRequest {
  return rollout.CreateEnvSessionRequest.create({
    environment: environment.id,
    variant: environment.variant,
    environmentCount: spec.environmentCount,
    seeds: [...spec.seeds],
    autoresetMode: spec.autoresetMode,
    options: spec.options,
  });
}

function targetsOf({ shards }: SessionRecord): string[] {
  return shards.map(({ sidecar }) => sidecar);
}

/** The outcome, unless the caller's time ends first; the work itself goes on. */
async function untilAborted<T>(outcome: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const left = Promise.withResolvers<never>();
  const leave = () => left.reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([outcome, left.promise]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
