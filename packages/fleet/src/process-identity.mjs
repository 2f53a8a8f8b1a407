// Tells one process from a later one that got the same number: a pid is only believed together with
// the moment the kernel started it. Plain JavaScript, because set-up uses it under Node 20 before
// anything is installed. Refuses to guess: a process that cannot be looked at counts as another one.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * @param {number} pid
 * @returns {string | undefined} an opaque mark of the process's start; undefined when no such process
 *   runs (a zombie has ended: it only waits to be reaped)
 */
export function processStart(pid) {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  if (process.platform === "linux") {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      // The command's name stands in parentheses and may hold anything, spaces included.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (fields[0] === "Z" || fields[0] === "X") return undefined;
      return `${bootId()}/${fields[19]}`; // field 22 of proc(5): ticks since boot
    } catch {
      return undefined;
    }
  }
  try {
    const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      env: { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C" },
    }).trim();
    return line === "" || line.startsWith("Z") ? undefined : line.replace(/^\S+\s+/, "");
  } catch {
    return undefined;
  }
}

/**
 * @param {number} pid
 * @param {string} start what processStart said of it earlier
 */
export function isSameProcess(pid, start) {
  return processStart(pid) === start;
}

/** @type {string | undefined} */
let boot;
function bootId() {
  boot ??= readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return boot;
}
