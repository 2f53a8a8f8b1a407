// Memory of a process's descendants, read from /proc.
import { readdirSync, readFileSync } from "node:fs";

/** Bytes resident in all processes below `pid`, itself not counted. Pages that several share count in each. */
export function residentBelow(pid: number): number {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    const id = Number(entry);
    const parent = Number.isInteger(id) ? parentOf(id) : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), id]);
  }
  let bytes = 0;
  const open = [...(children.get(pid) ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    bytes += resident(next);
    open.push(...(children.get(next) ?? []));
  }
  return bytes;
}

function parentOf(pid: number): number | undefined {
  const found = /^PPid:\s+(\d+)$/m.exec(status(pid))?.[1];
  return found === undefined ? undefined : Number(found);
}

function resident(pid: number): number {
  // Absent of a process that has ended.
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status(pid))?.[1] ?? 0) * 1024;
}

function status(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return ""; // it ended meanwhile
  }
}
