// Who else uses a fleet that is up: a file for each process that joined, believed only while that process lives. So an owner
// that is done can wait for the others, and a killed one holds nobody up.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSameProcess, processStart } from "./process-identity.mjs";

export interface FleetUser {
  readonly pid: number;
  readonly purpose: string;
}

const usersOf = (folder: string): string => join(folder, "users");
let marks = 0;

/** Notes this process down as a user. Returns what takes the note back. */
export function registerUser(folder: string, purpose: string): () => void {
  mkdirSync(usersOf(folder), { recursive: true });
  const file = join(usersOf(folder), `${process.pid}-${marks++}.json`);
  writeFileSync(file, JSON.stringify({ pid: process.pid, start: processStart(process.pid), purpose }));
  return () => rmSync(file, { force: true });
}

/** The living ones; notes of dead ones are removed. */
export function fleetUsers(folder: string): FleetUser[] {
  let names: string[];
  try {
    names = readdirSync(usersOf(folder)).filter((name) => name.endsWith(".json"));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const file = join(usersOf(folder), name);
    try {
      const note: unknown = JSON.parse(readFileSync(file, "utf8"));
      if (typeof note !== "object" || note === null) return [];
      const { pid, start, purpose } = note as { pid?: unknown; start?: unknown; purpose?: unknown };
      if (typeof pid === "number" && typeof start === "string" && isSameProcess(pid, start))
        return [{ pid, purpose: String(purpose) }];
      rmSync(file, { force: true });
      return [];
    } catch {
      return []; // written in this moment, or taken back
    }
  });
}
