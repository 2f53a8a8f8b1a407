// Runs a TypeScript file under the pinned Node in place of this process: same standard streams, signals passed on, its exit
// code or signal becomes ours.
import { spawn } from "node:child_process";

/** @param {string} node @param {string} file @param {readonly string[]} args */
export function execTypeScript(node, file, args) {
  const child = spawn(node, [file, ...args], { stdio: "inherit" });
  // A terminal sends Ctrl-C to both of us; programs here take a second one within a moment for the same.
  const signals = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.once("error", (error) => {
    process.stderr.write(`cannot run ${node}: ${error.message}\n  Run \`npm run setup\`.\n`);
    process.exit(1);
  });
  child.once("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    for (const each of signals) process.removeAllListeners(each);
    process.kill(process.pid, signal);
  });
}
