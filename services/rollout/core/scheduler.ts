/**
 * Which sidecar works on what next: tasks of units (episodes) are cut into blocks, fair between tenants.
 *
 * Deterministic and without clock, timers or I/O: every answer is a function of the calls before it. Owns the queue, its
 * bounds, and who is to blame when a sidecar dies. Refuses to know what a unit is or how a block is run.
 *
 * Fairness is deficit round robin over tenants, in expected environment steps, so that a tenant with long episodes gets
 * as many steps as one with short ones. Within a tenant the earliest task goes first: evaluations end one after another
 * instead of all at the end. A block's size changes speed only, never a result.
 */

export interface SchedulerOptions {
  /** Units that one tenant may have waiting. */
  readonly tenantUnitsMost: number;
  /** Units that may wait in all. */
  readonly unitsMost: number;
  /** Expected steps of a block, roughly: small enough to spread, large enough that a call's overhead does not count. */
  readonly blockCost: number;
  /** A unit during which this many sidecars died is given up. */
  readonly deathsMost: number;
}

export interface Task {
  readonly id: number;
  readonly tenant: string;
  readonly unitCount: number;
  /** Expected steps of one unit, at least 1. */
  readonly unitCost: number;
  /** Units that need not run. */
  readonly done?: ReadonlySet<number>;
  /** True: the units depend on each other, so all of them run in one block, in order, whatever is done already. */
  readonly whole: boolean;
}

/** Units of one task, run by one sidecar: in this order where they depend on each other, else perhaps side by side. */
export interface Block {
  readonly id: number;
  readonly task: number;
  readonly units: readonly number[];
}

export interface Loss {
  /** The units that may have run when the sidecar died; none: nobody is to blame. */
  readonly suspects: readonly number[];
  /** The one of them that has used up its chances. */
  readonly givenUp: number | undefined;
}
const NOBODY: Loss = { suspects: [], givenUp: undefined };

interface TaskState {
  readonly task: Task;
  /** Units not done and in no block, in the order in which they are to run. */
  waiting: number[];
  readonly blocks: Map<number, BlockState>;
  /** Sidecars that died while the unit ran. */
  readonly deaths: Map<number, number>;
}

interface BlockState {
  readonly block: Block;
  /** Units that are not done. */
  readonly left: Set<number>;
}

interface TenantState {
  /** Ids of tasks that have waiting units, ascending: ids are given in order of arrival. */
  queue: number[];
  /** Steps that the tenant may still use in this turn. */
  deficit: number;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #tasks = new Map<number, TaskState>();
  /** Tenants with something waiting. A Map keeps the order in which they came; the first one has the turn. */
  readonly #tenants = new Map<string, TenantState>();
  #turnBegun = false;
  #nextBlock = 1;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Units that wait for a sidecar. */
  get waitingCount(): number {
    return [...this.#tasks.values()].reduce((sum, state) => sum + state.waiting.length, 0);
  }

  /** False: there is no room for it, and nothing changed. */
  add(task: Task): boolean {
    if (this.#tasks.has(task.id)) throw new Error(`task ${task.id} is known already`);
    const units = Array.from({ length: task.unitCount }, (_, unit) => unit);
    const waiting = task.whole ? units : units.filter((unit) => task.done?.has(unit) !== true);
    if (this.waitingCount + waiting.length > this.#options.unitsMost) return false;
    if (this.#waitingOf(task.tenant) + waiting.length > this.#options.tenantUnitsMost) return false;
    this.#tasks.set(task.id, { task, waiting, blocks: new Map(), deaths: new Map() });
    this.#enqueue(task);
    return true;
  }

  /** The next block for a free sidecar; undefined when nothing waits. `sidecars` is how many share the work. */
  next(sidecars: number): Block | undefined {
    for (;;) {
      const turn = this.#tenants.entries().next().value;
      if (turn === undefined) return undefined;
      const [name, tenant] = turn;
      const state = this.#tasks.get(tenant.queue[0] ?? -1);
      if (state === undefined) throw new Error(`tenant ${name} has a turn and no work`);
      if (!this.#turnBegun) {
        this.#turnBegun = true;
        tenant.deficit += this.#options.blockCost;
      }
      const size = this.#blockSize(state, sidecars);
      const cost = size * state.task.unitCost;
      if (cost <= tenant.deficit) {
        tenant.deficit -= cost;
        return this.#cut(name, tenant, state, size);
      }
      // To the end of the line, keeping what was saved: dear blocks are paid over several turns.
      this.#tenants.delete(name);
      this.#tenants.set(name, tenant);
      this.#turnBegun = false;
    }
  }

  /** A unit of the block has its result. */
  unitDone(block: Block, unit: number): void {
    const state = this.#tasks.get(block.task)?.blocks.get(block.id);
    if (state === undefined) return; // The task was removed meanwhile.
    if (!state.left.delete(unit)) throw new Error(`unit ${unit} is none of the block's, or ended twice`);
  }

  /** Whether the task has nothing left to run once this block is over. The block must be done to its end. */
  blockDone(block: Block): boolean {
    const state = this.#tasks.get(block.task);
    const ended = state?.blocks.get(block.id);
    if (state === undefined || ended === undefined) return false;
    if (ended.left.size > 0) throw new Error(`block ${block.id} ended early`);
    state.blocks.delete(block.id);
    if (state.waiting.length > 0 || state.blocks.size > 0) return false;
    this.#tasks.delete(block.task);
    return true;
  }

  /**
   * The block's sidecar is gone: what is not done waits again, before everything else of its task. With `blame` the units
   * that may have been running are suspected: from then on each runs alone, and one that has used up its chances is given
   * up (the caller then fails and removes the task).
   */
  blockLost(block: Block, blame: boolean): Loss {
    const state = this.#tasks.get(block.task);
    const lost = state?.blocks.get(block.id);
    if (state === undefined || lost === undefined) return NOBODY;
    state.blocks.delete(block.id);
    const left = [...lost.left];
    state.waiting = (state.task.whole ? [...block.units] : [...left, ...state.waiting]).sort((a, b) => a - b);
    this.#enqueue(state.task);
    if (!blame) return NOBODY;
    const suspects = state.task.whole ? left.slice(0, 1) : left;
    for (const unit of suspects) state.deaths.set(unit, (state.deaths.get(unit) ?? 0) + 1);
    const givenUp = suspects.find((unit) => (state.deaths.get(unit) ?? 0) >= this.#options.deathsMost);
    return { suspects, givenUp };
  }

  /** Forgets a task. The answer is its blocks that still run, for the caller to stop. */
  remove(taskId: number): Block[] {
    const state = this.#tasks.get(taskId);
    if (state === undefined) return [];
    this.#tasks.delete(taskId);
    this.#dequeue(state.task);
    return [...state.blocks.values()].map(({ block }) => block);
  }

  #waitingOf(tenant: string): number {
    let sum = 0;
    for (const { task, waiting } of this.#tasks.values()) if (task.tenant === tenant) sum += waiting.length;
    return sum;
  }

  #blockSize(state: TaskState, sidecars: number): number {
    const { task, waiting, deaths } = state;
    if (task.whole) return waiting.length;
    // A unit under suspicion runs alone, so that it takes nobody else's time if it kills again.
    if (deaths.has(waiting[0] ?? -1)) return 1;
    const cheap = Math.floor(this.#options.blockCost / task.unitCost);
    // Half of an even share: blocks shrink towards a task's end, so that the sidecars finish it together.
    const share = Math.ceil(waiting.length / (2 * Math.max(1, sidecars)));
    const most = Math.max(1, Math.min(cheap, share));
    const suspect = waiting.slice(0, most).findIndex((unit) => deaths.has(unit));
    return suspect === -1 ? most : suspect;
  }

  #cut(name: string, tenant: TenantState, state: TaskState, size: number): Block {
    const block: Block = { id: this.#nextBlock, task: state.task.id, units: state.waiting.slice(0, size) };
    this.#nextBlock += 1;
    state.waiting = state.waiting.slice(size);
    state.blocks.set(block.id, { block, left: new Set(block.units) });
    if (state.waiting.length === 0) tenant.queue.shift();
    if (tenant.queue.length === 0) this.#leave(name);
    return block;
  }

  #enqueue(task: Task): void {
    if ((this.#tasks.get(task.id)?.waiting.length ?? 0) === 0) return;
    const tenant = this.#tenants.get(task.tenant) ?? { queue: [], deficit: 0 };
    if (!tenant.queue.includes(task.id)) tenant.queue = [...tenant.queue, task.id].sort((a, b) => a - b);
    this.#tenants.set(task.tenant, tenant);
  }

  #dequeue(task: Task): void {
    const tenant = this.#tenants.get(task.tenant);
    if (tenant === undefined) return;
    tenant.queue = tenant.queue.filter((id) => id !== task.id);
    if (tenant.queue.length === 0) this.#leave(task.tenant);
  }

  /** A tenant without work saves nothing: it would otherwise come back with a claim on everybody's time. */
  #leave(name: string): void {
    if (this.#tenants.keys().next().value === name) this.#turnBegun = false;
    this.#tenants.delete(name);
  }
}
