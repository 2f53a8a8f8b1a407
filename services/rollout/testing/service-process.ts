/**
 * For tests: the rollout service as a process of its own, to be killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { rollout } from "@promptpo/contracts";
import { type Client, createClient } from "@promptpo/service-kit";
import { endsWithTest } from "./with-fakes.ts";

export interface ServiceProcess {
  readonly child: ChildProcess;
  readonly client: Client<rollout.RolloutServiceService>;
  /** The exit code. */
  readonly exited: Promise<number | null>;
  /** Process ids of the sidecars that served so far. */
  readonly sidecarPids: readonly number[];
}

/** Serving; killed with the test. */
export async function startProcess(env: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [fileURLToPath(new URL("../main.ts", import.meta.url))], {
    env: { PATH: process.env["PATH"] ?? "", PROMPTPO_METRICS_LISTEN: "off", PROMPTPO_DIE_WITH_PARENT: "1", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const sidecarPids: number[] = [];
  const address = await new Promise<string>((resolve, reject) => {
    exited.then((code) => reject(new Error(`the service ended with ${code}`)), reject);
    createInterface({ input: child.stdout }).on("line", (text) => {
      const line: Record<string, unknown> = JSON.parse(text);
      if (line["msg"] === "a sidecar serves") sidecarPids.push(Number(line["pid"]));
      if (line["msg"] === "serving") resolve(String(line["address"]));
    });
  });
  const client = createClient(rollout.RolloutServiceService, { target: address, unavailable: "ROLLOUT_UNAVAILABLE" });
  const service = { child, client, exited, sidecarPids };
  endsWithTest({
    async [Symbol.asyncDispose]() {
      client.close();
      await end(service, "SIGKILL");
    },
  });
  return service;
}

/** Resolves with the exit code. */
export function end({ child, exited }: ServiceProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
  return exited;
}
