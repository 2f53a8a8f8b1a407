import fc from "fast-check";
import { expect, test } from "vitest";
import { type Block, Scheduler, type SchedulerOptions } from "./scheduler.ts";

const roomy: SchedulerOptions = { tenantUnitsMost: 1e6, unitsMost: 1e6, blockCost: 1_000, deathsMost: 2 };

interface PlannedTask {
  readonly tenant: string;
  readonly unitCount: number;
  readonly unitCost: number;
  readonly whole: boolean;
}
const plannedTask = fc.record({
  tenant: fc.constantFrom("a", "b", "c"),
  unitCount: fc.integer({ min: 1, max: 12 }),
  unitCost: fc.constantFrom(1, 100, 500, 5_000),
  whole: fc.boolean(),
});

/** Runs everything on `sidecars` lanes; `fate` says after how many units a block dies (undefined: it does not). */
function play(tasks: readonly PlannedTask[], sidecars: number, fate: () => number | undefined) {
  const scheduler = new Scheduler(roomy);
  for (const [id, task] of tasks.entries()) expect(scheduler.add({ id, ...task })).toBe(true);
  const results = new Map<string, number>();
  const finished: number[] = [];
  let rounds = 0;
  for (;;) {
    rounds += 1;
    if (rounds > 10_000) throw new Error("it never ends");
    const lanes: Block[] = [];
    while (lanes.length < sidecars) {
      const block = scheduler.next(sidecars);
      if (block === undefined) break;
      lanes.push(block);
    }
    if (lanes.length === 0) return { results, finished, scheduler };
    for (const block of lanes) {
      const dies = fate();
      const survived = dies === undefined ? block.units : block.units.slice(0, dies);
      for (const unit of survived) {
        scheduler.unitDone(block, unit);
        const key = `${block.task}/${unit}`;
        results.set(key, (results.get(key) ?? 0) + 1);
      }
      if (survived.length < block.units.length) scheduler.blockLost(block, false);
      else if (scheduler.blockDone(block)) finished.push(block.task);
    }
  }
}

test("every unit runs exactly once, and every task ends exactly once, on any number of sidecars", () => {
  fc.assert(
    fc.property(fc.array(plannedTask, { maxLength: 12 }), fc.integer({ min: 1, max: 5 }), (tasks, sidecars) => {
      const { results, finished, scheduler } = play(tasks, sidecars, () => undefined);
      const all = tasks.flatMap((task, id) => Array.from({ length: task.unitCount }, (_, unit) => `${id}/${unit}`));
      expect([...results.keys()].sort()).toEqual(all.sort());
      expect([...results.values()].every((count) => count === 1)).toBe(true);
      expect(finished.toSorted((a, b) => a - b)).toEqual(tasks.map((_, id) => id));
      expect(scheduler.waitingCount).toBe(0);
    }),
  );
});

test("with sidecars dying at any point every task still ends, and only dependent units run again", () => {
  fc.assert(
    fc.property(
      fc.array(plannedTask, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }), { maxLength: 30 }),
      (tasks, sidecars, fates) => {
        const left = [...fates];
        const { results, finished } = play(tasks, sidecars, () => left.shift());
        expect(finished.toSorted((a, b) => a - b)).toEqual(tasks.map((_, id) => id));
        for (const [id, task] of tasks.entries()) {
          for (let unit = 0; unit < task.unitCount; unit += 1) {
            const count = results.get(`${id}/${unit}`) ?? 0;
            if (task.whole) expect(count).toBeGreaterThanOrEqual(1);
            else expect(count).toBe(1);
          }
        }
      },
    ),
  );
});

test("a block's units are in order, and a whole task is one block", () => {
  fc.assert(
    fc.property(plannedTask, fc.integer({ min: 1, max: 4 }), (task, sidecars) => {
      const scheduler = new Scheduler(roomy);
      scheduler.add({ id: 7, ...task });
      const units: number[] = [];
      let blocks = 0;
      for (let block = scheduler.next(sidecars); block !== undefined; block = scheduler.next(sidecars)) {
        units.push(...block.units);
        blocks += 1;
      }
      expect(units).toEqual(Array.from({ length: task.unitCount }, (_, unit) => unit));
      if (task.whole) expect(blocks).toBe(1);
    }),
  );
});

test("between tenants that always have work, steps served differ by no more than a block and two turns", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(10, 100, 700, 1_000, 3_000), { minLength: 2, maxLength: 5 }),
      fc.integer({ min: 20, max: 200 }),
      (costs, blocks) => {
        const scheduler = new Scheduler(roomy);
        for (const [id, unitCost] of costs.entries()) {
          scheduler.add({ id, tenant: `t${id}`, unitCount: 300_000 / unitCost, unitCost, whole: false });
        }
        const served = costs.map(() => 0);
        for (let count = 0; count < blocks; count += 1) {
          const block = scheduler.next(2);
          if (block === undefined) throw new Error("there is work");
          served[block.task] = (served[block.task] ?? 0) + block.units.length * (costs[block.task] ?? 0);
        }
        const apart = Math.max(...served) - Math.min(...served);
        expect(apart).toBeLessThanOrEqual(2 * roomy.blockCost + Math.max(roomy.blockCost, ...costs));
      },
    ),
  );
});

test("a tenant that comes late to a long queue is served within one turn of the others", () => {
  const scheduler = new Scheduler(roomy);
  for (let id = 0; id < 50; id += 1)
    scheduler.add({ id, tenant: "busy", unitCount: 20, unitCost: 1_000, whole: false });
  scheduler.next(2);
  scheduler.add({ id: 50, tenant: "late", unitCount: 1, unitCost: 1_000, whole: false });
  expect([scheduler.next(2)?.task, scheduler.next(2)?.task]).toContain(50);
});

test("a tenant's own tasks are served in order of arrival, and a lost block goes before later tasks", () => {
  const scheduler = new Scheduler(roomy);
  scheduler.add({ id: 1, tenant: "a", unitCount: 2, unitCost: 1_000, whole: false });
  scheduler.add({ id: 2, tenant: "a", unitCount: 2, unitCost: 1_000, whole: false });
  const first = scheduler.next(1);
  expect(first).toMatchObject({ task: 1, units: [0] });
  expect(scheduler.next(1)).toMatchObject({ task: 1, units: [1] });
  if (first !== undefined) scheduler.blockLost(first, true);
  expect(scheduler.next(1)).toMatchObject({ task: 1, units: [0] });
  expect(scheduler.next(1)).toMatchObject({ task: 2, units: [0] });
});

test("a unit that kills two sidecars is given up, and units beside it lose nothing", () => {
  const scheduler = new Scheduler(roomy);
  scheduler.add({ id: 1, tenant: "a", unitCount: 4, unitCost: 10, whole: false });
  const killer = 1;
  const done: number[] = [];
  let givenUp: number | undefined;
  const sizes: number[] = [];
  for (let block = scheduler.next(1); block !== undefined && givenUp === undefined; block = scheduler.next(1)) {
    sizes.push(block.units.length);
    let died = false;
    for (const unit of block.units) {
      if (unit === killer) {
        died = true;
        break;
      }
      scheduler.unitDone(block, unit);
      done.push(unit);
    }
    if (died) {
      const loss = scheduler.blockLost(block, true);
      expect(loss.suspects).toEqual([killer]);
      givenUp = loss.givenUp;
    } else scheduler.blockDone(block);
  }
  expect(givenUp).toBe(killer);
  expect(done).toEqual([0]);
  // It took neighbours along only the first time.
  expect(sizes).toEqual([2, 1]);
});

test("units that ran side by side when a sidecar died run alone afterwards, and only the killer is given up", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }).chain((count) =>
        fc.record({
          count: fc.constant(count),
          killer: fc.nat({ max: count - 1 }),
          // Which units end before the killer does its work, wherever they stand in the block.
          before: fc.uniqueArray(fc.nat({ max: count - 1 })),
        }),
      ),
      ({ count, killer, before }) => {
        const scheduler = new Scheduler(roomy);
        scheduler.add({ id: 1, tenant: "a", unitCount: count, unitCost: 1, whole: false });
        const done: number[] = [];
        let deaths = 0;
        let givenUp: number | undefined;
        for (let block = scheduler.next(1); block !== undefined; block = scheduler.next(1)) {
          const dies = block.units.includes(killer);
          for (const unit of block.units) {
            if (unit === killer || (dies && !before.includes(unit))) continue;
            scheduler.unitDone(block, unit);
            done.push(unit);
          }
          if (!dies) {
            scheduler.blockDone(block);
            continue;
          }
          deaths += 1;
          if (deaths > 1) expect(block.units).toEqual([killer]);
          const loss = scheduler.blockLost(block, true);
          expect(loss.suspects).toContain(killer);
          givenUp = loss.givenUp;
          if (givenUp !== undefined) break;
        }
        expect([givenUp, deaths]).toEqual([killer, 2]);
        expect(new Set(done).size).toBe(done.length);
      },
    ),
  );
});

test("a result that comes twice, or for a unit of another block, is an error", () => {
  const scheduler = new Scheduler(roomy);
  scheduler.add({ id: 1, tenant: "a", unitCount: 4, unitCost: 10, whole: false });
  const block = scheduler.next(1);
  if (block === undefined) throw new Error("it waits");
  expect(block.units).toEqual([0, 1]);
  scheduler.unitDone(block, 1);
  expect(() => scheduler.unitDone(block, 1)).toThrow();
  expect(() => scheduler.unitDone(block, 2)).toThrow();
});

test("deaths that are nobody's fault do not count", () => {
  const scheduler = new Scheduler(roomy);
  scheduler.add({ id: 1, tenant: "a", unitCount: 1, unitCost: 10, whole: false });
  for (let death = 0; death < 10; death += 1) {
    const block = scheduler.next(1);
    if (block === undefined) throw new Error("it waits again");
    expect(scheduler.blockLost(block, false)).toEqual({ suspects: [], givenUp: undefined });
  }
});

test("the queue takes what fits, for a tenant and in all, and a refusal changes nothing", () => {
  const scheduler = new Scheduler({ ...roomy, tenantUnitsMost: 10, unitsMost: 15 });
  const task = { unitCost: 1_000, whole: false };
  expect(scheduler.add({ id: 1, tenant: "a", unitCount: 8, ...task })).toBe(true);
  expect(scheduler.add({ id: 2, tenant: "a", unitCount: 3, ...task })).toBe(false);
  expect(scheduler.add({ id: 3, tenant: "b", unitCount: 8, ...task })).toBe(false);
  expect(scheduler.add({ id: 4, tenant: "b", unitCount: 7, ...task })).toBe(true);
  expect(scheduler.waitingCount).toBe(15);
  // A dispatched unit makes room.
  scheduler.next(1);
  expect(scheduler.add({ id: 5, tenant: "b", unitCount: 1, ...task })).toBe(true);
});

test("a removed task gives up its place and names its running blocks", () => {
  const scheduler = new Scheduler(roomy);
  scheduler.add({ id: 1, tenant: "a", unitCount: 3, unitCost: 1_000, whole: false });
  scheduler.add({ id: 2, tenant: "b", unitCount: 1, unitCost: 1_000, whole: false });
  const running = scheduler.next(1);
  expect(scheduler.remove(1)).toEqual([running]);
  expect(scheduler.next(1)).toMatchObject({ task: 2 });
  expect(scheduler.next(1)).toBeUndefined();
  if (running !== undefined) {
    scheduler.unitDone(running, 0);
    expect(scheduler.blockLost(running, true)).toEqual({ suspects: [], givenUp: undefined });
  }
  expect(scheduler.waitingCount).toBe(0);
});

test("units that are done already are not run again, unless all depend on each other", () => {
  const scheduler = new Scheduler(roomy);
  scheduler.add({ id: 1, tenant: "a", unitCount: 3, unitCost: 1, whole: false, done: new Set([0, 2]) });
  expect(scheduler.next(1)?.units).toEqual([1]);
  scheduler.add({ id: 2, tenant: "a", unitCount: 3, unitCost: 1, whole: true, done: new Set([0, 2]) });
  expect(scheduler.next(1)?.units).toEqual([0, 1, 2]);
});
