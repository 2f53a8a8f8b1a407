/**
 * An answer log in memory that several gateways of one test share, with owners that can die. It keeps the rules of the
 * real one (conditional updates, the first answer wins), so that interleavings can be tried by the thousand.
 */
import type { llm } from "@promptpo/contracts";
import type { AnswerLog, AnswerRow, CallId, RowState, UsageEntry } from "../core/ports.ts";

interface Row {
  state: RowState;
  version: number;
  bodySha256: string;
  owner: string | undefined;
  completion: llm.Completion | undefined;
  errorReason: string;
}

export class MemoryAnswers {
  readonly rows = new Map<string, Row>();
  readonly dead = new Set<string>();
  readonly usage: UsageEntry[] = [];
  /** Called before every access; may wait or throw. */
  access: () => Promise<void> = async () => undefined;
  #waiting: (() => void)[] = [];

  /** The log as the process `owner` sees it. */
  as(owner: string): AnswerLog {
    const view = (row: Row): AnswerRow => ({
      ...row,
      ownerLives: row.owner !== undefined && !this.dead.has(row.owner),
    });
    const change = (id: CallId, allowed: (row: Row) => boolean, to: Partial<Row>): boolean => {
      const row = this.rows.get(keyOf(id));
      if (row === undefined || !allowed(row)) return false;
      Object.assign(row, to, { version: row.version + 1 });
      for (const wake of this.#waiting.splice(0)) wake();
      return true;
    };
    const charge = (entry: UsageEntry | undefined): void => {
      if (entry !== undefined && !this.usage.some(({ id }) => id === entry.id)) this.usage.push(entry);
    };
    return {
      owner,
      reserve: async (call) => {
        await this.access();
        const row = this.rows.get(keyOf(call));
        if (row !== undefined) return view(row);
        const { bodySha256 } = call;
        const made = {
          state: "reserved",
          version: 1,
          bodySha256,
          owner,
          completion: undefined,
          errorReason: "",
        } as const;
        this.rows.set(keyOf(call), { ...made });
        return "reserved";
      },
      take: async (id, version) => {
        await this.access();
        return change(id, (row) => row.version === version && row.state !== "stored", { state: "reserved", owner });
      },
      markUnknown: async (id, version) => {
        await this.access();
        change(id, (row) => row.version === version && row.state === "sent", { state: "unknown", owner: undefined });
      },
      markSent: async (id) => {
        await this.access();
        if (!change(id, (row) => row.owner === owner && row.state === "reserved", { state: "sent" })) {
          throw new Error("the row is not ours");
        }
      },
      store: async (id, completion, entry) => {
        await this.access();
        change(id, (row) => row.state !== "stored", { state: "stored", owner: undefined, completion });
        charge(entry);
        return this.rows.get(keyOf(id))?.completion ?? completion;
      },
      release: async (id, state, errorReason, entry) => {
        await this.access();
        change(id, (row) => row.owner === owner, { state, owner: undefined, errorReason });
        charge(entry);
      },
      find: async (id) => {
        const row = this.rows.get(keyOf(id));
        return row === undefined ? undefined : view(row);
      },
      changed: async (_, signal) => {
        await new Promise<void>((resolve) => {
          this.#waiting.push(resolve);
          signal.addEventListener("abort", () => resolve());
        });
        signal.throwIfAborted();
      },
      requestCancel: async () => undefined,
    };
  }
}

function keyOf({ tenant, requestId }: CallId): string {
  return `${tenant}\n${requestId}`;
}
