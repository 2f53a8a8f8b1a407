/**
 * For tests: the whole service on a real database with fake sidecars; everything ends with the test.
 */
import type { rollout } from "@promptpo/contracts";
import { freshDatabase } from "@promptpo/fleet/testing.ts";
import { afterEach } from "vitest";
import { type FakeBehaviour, type FakeSidecar, startFakeSidecar } from "./fake-sidecar.ts";
import { evaluation, startRollout } from "./rollout-under-test.ts";

const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of stack.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** Ends it after the test, before what was there earlier. */
export function endsWithTest<T extends AsyncDisposable>(one: T): T {
  stack.push(one);
  return one;
}

export async function start(behaviours: readonly FakeBehaviour[] = [{}], env: Readonly<Record<string, string>> = {}) {
  const database = endsWithTest(await freshDatabase());
  const sidecars: FakeSidecar[] = [];
  for (const behaviour of behaviours) sidecars.push(endsWithTest(await startFakeSidecar(behaviour)));
  const service = endsWithTest(
    await startRollout({
      DATABASE_URL: database.url,
      PROMPTPO_SIDECAR_TARGETS: sidecars.map(({ address }) => address).join(","),
      ...env,
    }),
  );
  return { ...service, service, sidecars, database };
}

/** 0n, 1n, ... */
export function seeds(count: number): bigint[] {
  return Array.from({ length: count }, (_, seed) => BigInt(seed));
}

/** An evaluation on the fakes' environment. */
export function fake(
  more: Parameters<typeof rollout.EvaluatePolicyRequest.fromPartial>[0] = {},
): rollout.EvaluatePolicyRequest {
  return evaluation({ environment: "Fake-v0", seeds: seeds(5), ...more });
}

/** Holds work up until it is opened, and tells when somebody stands before it. */
export function gate() {
  const open = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  return {
    reached: reached.promise,
    open: () => open.resolve(),
    pass(signal: AbortSignal): Promise<void> {
      reached.resolve();
      return Promise.race([open.promise, leftAlone(signal)]);
    },
  };
}

/** Never ends by itself: fails when the call does. */
export function leftAlone(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}
