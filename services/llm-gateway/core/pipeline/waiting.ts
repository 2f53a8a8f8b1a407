/**
 * Waiting that ends with a signal or a deadline, and takes its listeners along when it ends.
 *
 * `AbortSignal.any` and `AbortSignal.timeout` are not used: signals that live as long as the process would keep a
 * dependent for every call.
 */
import { FleetError } from "@promptpo/service-kit/errors.ts";
import type { Clock } from "../ports.ts";

/** Why a signal aborted, as an error for the caller. */
export function reasonOf(signal: AbortSignal): FleetError {
  return signal.reason instanceof FleetError
    ? signal.reason
    : new FleetError("CANCELLED", "the call was cancelled", { cause: signal.reason });
}

export interface Scope {
  readonly signal: AbortSignal;
  abort(reason: FleetError): void;
  /** Lets go of parents and timer; the signal then never aborts. May be called again. */
  close(): void;
}

/** A signal that aborts with any of its parents, at the deadline, or by hand. */
export function openScope(options: {
  readonly parents: readonly AbortSignal[];
  readonly clock?: Clock;
  /** Epoch milliseconds; Infinity is none. */
  readonly deadlineMs?: number;
  /** The reason when the deadline passes. */
  readonly late?: () => FleetError;
}): Scope {
  const controller = new AbortController();
  const undo: (() => void)[] = [];
  const close = (): void => {
    for (const step of undo.splice(0)) step();
  };
  const abort = (reason: FleetError): void => {
    close();
    controller.abort(reason);
  };
  for (const parent of options.parents) {
    const end = (): void => abort(reasonOf(parent));
    if (parent.aborted) {
      end();
      break;
    }
    parent.addEventListener("abort", end, { once: true });
    undo.push(() => parent.removeEventListener("abort", end));
  }
  const { clock, deadlineMs, late } = options;
  if (clock !== undefined && deadlineMs !== undefined && Number.isFinite(deadlineMs) && !controller.signal.aborted) {
    const error = late ?? (() => new FleetError("DEADLINE_EXCEEDED", "the deadline passed"));
    undo.push(clock.after(Math.max(0, deadlineMs - clock.now()), () => abort(error())));
  }
  return { signal: controller.signal, abort, close };
}

/** The promise's value, unless the signal aborts first: then a rejection with its reason. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (): void => reject(reasonOf(signal));
    if (signal.aborted) {
      promise.catch(() => undefined);
      end();
      return;
    }
    signal.addEventListener("abort", end, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", end));
  });
}

export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  let wake = (): void => undefined;
  const slept = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const cancel = clock.after(ms, wake);
  return unlessAborted(slept, signal).finally(cancel);
}
