import { silentLogger } from "@promptpo/service-kit";
import { expect, test } from "vitest";
import { type Leases, ReplicaLease } from "./replica-lease.ts";

/** Leases that are noted; `beats` resolves once the lease was moved on so many times. */
function noted() {
  const calls: string[] = [];
  const waiting = new Map<number, () => void>();
  let failures = 0;
  const leases: Leases = {
    async extend(_id, leaseMs) {
      calls.push(`extend ${leaseMs}`);
      waiting.get(calls.length)?.();
      if (failures-- > 0) throw new Error("the database is away");
    },
    async remove() {
      calls.push("remove");
    },
  };
  const beats = (count: number) => new Promise<void>((resolve) => waiting.set(count, resolve));
  return {
    calls,
    leases,
    beats,
    fail: (count: number) => {
      failures = count;
    },
  };
}

test("the lease is there before anything is held, goes on while something is, and beats through failures", async () => {
  const { calls, leases, beats, fail } = noted();
  const lease = new ReplicaLease(leases, 40, silentLogger());
  const sixth = beats(6);
  const [first, second] = await Promise.all([lease.hold(), lease.hold()]);
  expect(calls).toEqual(["extend 40"]);
  fail(2);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await sixth;
  second[Symbol.dispose]();
  await lease.stop();
  expect(calls.at(-1)).toBe("remove");
});

test("evaluations one after the other share a lease that is fresh", async () => {
  const { calls, leases } = noted();
  const lease = new ReplicaLease(leases, 3_600_000, silentLogger());
  for (let count = 0; count < 3; count += 1) (await lease.hold())[Symbol.dispose]();
  expect(calls).toEqual(["extend 3600000"]);
});

test("where the lease cannot be had nothing is held, and the next one tries again", async () => {
  const { calls, leases, fail } = noted();
  const lease = new ReplicaLease(leases, 3_600_000, silentLogger());
  fail(1);
  await expect(lease.hold()).rejects.toThrow("the database is away");
  (await lease.hold())[Symbol.dispose]();
  expect(calls).toHaveLength(2);
});
