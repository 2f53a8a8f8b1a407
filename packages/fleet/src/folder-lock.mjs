// One holder of a folder at a time, and a dead process holds nothing: a lock file names its holder by
// pid and start time. Plain JavaScript for Node 20 (set-up uses it), no library, no native code.
//
// The files are `NAME.<generation>`; the highest generation is the lock. Taking it means linking the
// next generation into place (atomic, fails if somebody was quicker), which is only tried once the
// holder of the highest is dead or has released. A late-comer that linked a generation below the
// highest sees that on its second look and withdraws. The highest file is never removed, so there is
// no moment in which two processes can break the same stale lock.
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSameProcess, processStart } from "./process-identity.mjs";

/**
 * @typedef {{ pid: number, start: string, since: string, purpose: string }} Holder
 * @typedef {{ held: true, release: () => void }} Taken
 * @typedef {{ held: false, holder: Holder }} Refused
 */

let counter = 0;

/**
 * Takes the lock or says at once who holds it. The process that asks may hold it only once.
 * @param {string} folder made when missing
 * @param {string} name the lock's file name
 * @param {string} purpose shown to whoever is refused
 * @returns {Taken | Refused}
 */
export function tryLockFolder(folder, name, purpose) {
  mkdirSync(folder, { recursive: true });
  const start = processStart(process.pid);
  if (start === undefined) throw new Error("this process cannot read its own start time: is /proc mounted?");
  for (;;) {
    const highest = generations(folder, name)[0];
    if (highest !== undefined) {
      const holder = read(folder, name, highest);
      if (holder !== undefined && isSameProcess(holder.pid, holder.start)) return { held: false, holder };
    }
    const mine = (highest ?? 0) + 1;
    const holder = { pid: process.pid, start, since: new Date().toISOString(), purpose };
    const draft = join(folder, `${name}.draft-${process.pid}-${counter++}`);
    writeFileSync(draft, JSON.stringify(holder), { mode: 0o600 });
    let linked = false;
    try {
      linkSync(draft, join(folder, `${name}.${mine}`));
      linked = true;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    } finally {
      rmSync(draft, { force: true });
    }
    if (!linked) continue; // somebody was quicker: look again at who it is
    const all = generations(folder, name);
    if (all[0] !== mine) {
      rmSync(join(folder, `${name}.${mine}`), { force: true });
      continue;
    }
    for (const old of all.slice(1)) rmSync(join(folder, `${name}.${old}`), { force: true });
    sweepDrafts(folder, name);
    let released = false;
    return {
      held: true,
      release: () => {
        if (released) return;
        released = true;
        // Written beside and renamed, so that a reader sees a holder or none, never half a file.
        const empty = join(folder, `${name}.draft-${process.pid}-${counter++}`);
        try {
          writeFileSync(empty, "{}", { mode: 0o600 });
          renameSync(empty, join(folder, `${name}.${mine}`));
        } catch (error) {
          // The folder itself is gone: so is its lock.
          if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ENOENT") throw error;
        }
      },
    };
  }
}

/**
 * Who holds the lock now, without taking it.
 * @param {string} folder
 * @param {string} name
 * @returns {Holder | undefined}
 */
export function lockHolder(folder, name) {
  const highest = generations(folder, name)[0];
  if (highest === undefined) return undefined;
  const holder = read(folder, name, highest);
  return holder !== undefined && isSameProcess(holder.pid, holder.start) ? holder : undefined;
}

/** @param {string} folder @param {string} name @returns {number[]} highest first */
function generations(folder, name) {
  /** @type {string[]} */
  let entries;
  try {
    entries = readdirSync(folder);
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.startsWith(`${name}.`) && /^\d+$/.test(entry.slice(name.length + 1)))
    .map((entry) => Number(entry.slice(name.length + 1)))
    .sort((a, b) => b - a);
}

/** @param {string} folder @param {string} name @param {number} generation @returns {Holder | undefined} */
function read(folder, name, generation) {
  try {
    const value = JSON.parse(readFileSync(join(folder, `${name}.${generation}`), "utf8"));
    return typeof value.pid === "number" && typeof value.start === "string" ? value : undefined;
  } catch {
    return undefined; // withdrawn a moment ago, or torn by a full disk: nobody can be named
  }
}

/** Drafts of processes that were killed between writing and linking. @param {string} folder @param {string} name */
function sweepDrafts(folder, name) {
  for (const entry of readdirSync(folder)) {
    if (!entry.startsWith(`${name}.draft-`)) continue;
    const pid = Number(entry.slice(`${name}.draft-`.length).split("-")[0]);
    if (processStart(pid) === undefined) rmSync(join(folder, entry), { force: true });
  }
}
