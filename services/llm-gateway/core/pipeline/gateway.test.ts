// The pipeline under any interleaving: fast-check's scheduler decides which waiting step goes on next.
import type { llm } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { callFor } from "../../testing/calls.ts";
import { MemoryAnswers } from "../../testing/memory-answer-log.ts";
import type { Call } from "../call.ts";
import { createCatalog } from "../catalog.ts";
import type { AnswerCache, Clock, Meter, Provider, ProviderReply, Recordings, UsageEntry } from "../ports.ts";
import { createGateway, type Gateway } from "./gateway.ts";

const noRecordings: Recordings = {
  mode: "off",
  library: { byKey: () => [], byPlace: () => [], all: () => [], damaged: () => [] },
  write: async () => undefined,
};
const noMeter: Meter = {
  call: () => undefined,
  upstream: () => undefined,
  charge: () => undefined,
  retried: () => undefined,
};
/** Timers never fire by themselves; pauses end at once. */
const still: Clock = {
  now: () => 0,
  after(ms, action) {
    if (ms <= 5_000) queueMicrotask(action);
    return () => undefined;
  },
};

class World {
  readonly answers = new MemoryAnswers();
  readonly usage: UsageEntry[] = [];
  readonly cached = new Map<string, llm.Completion>();
  asked = 0;
  #ids = 0;

  /** `step` delays everything that takes time. */
  gateway(owner: string, step: <T>(what: string, value: T) => Promise<T>, reply?: () => ProviderReply): Gateway {
    const cache: AnswerCache = {
      get: async (key) => step("cache read", this.cached.get(key)),
      set: async (key, completion) => {
        await step("cache write", undefined);
        this.cached.set(key, completion);
      },
    };
    const provider: Provider = {
      name: "fake",
      ask: async ({ signal, onPiece }) => {
        const text = `answer ${this.asked++}`;
        onPiece?.(text.slice(0, 3));
        await step("provider", undefined);
        if (signal.aborted) return { kind: "failure", error: signal.reason, fate: "unknown", again: false };
        return reply?.() ?? { kind: "answer", text, model: "m", finish: "stop", counted: { prompt: 3, completion: 2 } };
      },
    };
    this.answers.access = async () => step("log", undefined);
    return createGateway({
      catalog: createCatalog(provider, []),
      prices: new Map(),
      clock: still,
      random: () => 0,
      attemptsMost: 3,
      retryBaseMs: 1,
      meter: noMeter,
      notes: { warn: () => undefined, error: () => undefined },
      log: this.answers.as(owner),
      usage: { add: (entry) => this.usage.push(entry) },
      cache,
      recordings: noRecordings,
      newId: () => `id-${this.#ids++}`,
    });
  }

  /** Everything that was charged, wherever it is written. */
  charged(): number {
    return [...this.usage, ...this.answers.usage].filter(({ charge }) => charge !== undefined).length;
  }
}

const stays = new AbortController().signal;
const stepOf =
  (scheduler: fc.Scheduler) =>
  <T>(what: string, value: T) =>
    scheduler.schedule(Promise.resolve(value), what);
const ended = (call: Promise<llm.Completion>) =>
  call.then(
    ({ text }) => text,
    (error) => FleetError.from(error).reason,
  );

describe("under any interleaving", () => {
  test("identical calls, with and without request ids, are asked and charged once", async () => {
    const callers = fc.array(fc.constantFrom("", "", "id-a", "id-b"), { minLength: 2, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), callers, async (scheduler, ids) => {
        const world = new World();
        const gateway = world.gateway("me", stepOf(scheduler));
        const calls = scheduler.scheduleSequence(
          ids.map((requestId) => async () => {
            results.push(ended(gateway.complete(callFor("same", { requestId }), { signal: stays })));
          }),
        );
        const results: Promise<string>[] = [];
        await scheduler.waitFor(calls.task);
        expect(new Set(await scheduler.waitFor(Promise.all(results)))).toEqual(new Set(["answer 0"]));
        expect(world.asked).toBe(1);
        expect(world.charged()).toBe(1);
      }),
    );
  });

  test("one request id on two replicas is asked and charged once, and both tell the same answer", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const world = new World();
        const replicas = [world.gateway("a", stepOf(scheduler)), world.gateway("b", stepOf(scheduler))];
        const call = callFor("same", { requestId: "id" });
        const results = replicas.map((gateway) => ended(gateway.complete(call, { signal: stays })));
        expect(await scheduler.waitFor(Promise.all(results))).toEqual(["answer 0", "answer 0"]);
        expect(world.asked).toBe(1);
        expect(world.charged()).toBe(1);
      }),
    );
  });

  test("callers that leave get CANCELLED; those that stay get the answer; no call is left behind", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
        async (scheduler, leave) => {
          const world = new World();
          const gateway = world.gateway("me", stepOf(scheduler));
          const results = leave.map((leaves) => {
            const caller = new AbortController();
            if (leaves) void scheduler.schedule(Promise.resolve(), "leave").then(() => caller.abort());
            return ended(gateway.complete(callFor("same"), { signal: caller.signal }));
          });
          const outcomes = await scheduler.waitFor(Promise.all(results));
          leave.forEach((leaves, at) => {
            if (!leaves) expect(outcomes[at]).toMatch(/^answer/);
            else expect(outcomes[at]).toMatch(/^answer|^CANCELLED/);
          });
          // The flight is gone: a newcomer is served from the cache or anew, never by what was stopped.
          const next = scheduler.waitFor(ended(gateway.complete(callFor("same"), { signal: stays })));
          expect(await next).toMatch(/^answer/);
          await scheduler.waitIdle();
        },
      ),
    );
  });

  test("a dead replica's call is taken over by exactly one of those that come for it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.constantFrom("reserved", "sent"), async (scheduler, state) => {
        const world = new World();
        const call = callFor("same", { requestId: "id" });
        world.answers.rows.set("default\nid", {
          state,
          version: 7,
          bodySha256: call.bodySha256,
          owner: "dead",
          completion: undefined,
          errorReason: "",
        });
        world.answers.dead.add("dead");
        const replicas = ["a", "b", "c"].map((owner) => world.gateway(owner, stepOf(scheduler)));
        const results = replicas.map((gateway) => ended(gateway.complete(call, { signal: stays })));
        expect(new Set(await scheduler.waitFor(Promise.all(results)))).toEqual(new Set(["answer 0"]));
        expect(world.asked).toBe(1);
      }),
    );
  });
});

describe("the database goes away", () => {
  const away = new FleetError("DATABASE_UNAVAILABLE", "away");
  const atOnce = async <T>(_: string, value: T): Promise<T> => value;

  /** The log fails at its accesses of these numbers, counted from 1: reserve, mark sent, store. */
  function failing(world: World, numbers: readonly number[]): void {
    let access = 0;
    world.answers.access = async () => {
      access++;
      if (numbers.includes(access)) throw away;
    };
  }

  async function run(numbers: readonly number[], call: Call = callFor("p", { requestId: "id" })) {
    const world = new World();
    const gateway = world.gateway("me", atOnce);
    failing(world, numbers);
    const first = await ended(gateway.complete(call, { signal: stays }));
    return { world, first, again: () => ended(gateway.complete(call, { signal: stays })) };
  }

  test("before the call is reserved, or before it is sent: nobody is asked, and it can be asked again", async () => {
    for (const number of [1, 2]) {
      const { world, first, again } = await run([number]);
      expect(first).toBe("DATABASE_UNAVAILABLE");
      expect(world.asked).toBe(0);
      expect(await again()).toBe("answer 0");
    }
  });

  test("after the answer: it is stored when the database is back, and asked once", async () => {
    const { world, first, again } = await run([3, 4, 5, 6]);
    expect(first).toBe("answer 0");
    expect(await again()).toBe("answer 0");
    expect(world.asked).toBe(1);
  });
});
