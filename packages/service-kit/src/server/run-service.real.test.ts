import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { optimizer } from "@promptpo/contracts";
import { afterEach, expect, test } from "vitest";
import { createClient } from "../client/create-client.ts";

const program = fileURLToPath(new URL("../testing/tiny-service.ts", import.meta.url));
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

interface Line {
  readonly msg?: string;
  readonly level?: string;
  readonly address?: string;
  readonly metricsAddress?: string;
  readonly err?: { readonly message: string };
}

/** A tiny service, what it says, and its end. */
class Tiny {
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  readonly ended: Promise<{ code: number | null; stderr: string }>;
  #waiting: { readonly msg: string; readonly resolve: (line: Line) => void }[] = [];

  constructor(env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [program], {
      env: { PATH: process.env["PATH"] ?? "", ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    children.push(this.child);
    const { stdout, stderr } = this.child;
    if (stdout === null || stderr === null) throw new Error("no pipes");
    let problems = "";
    stderr.on("data", (piece: Buffer) => {
      problems += piece.toString();
    });
    createInterface(stdout).on("line", (text) => {
      const line: Line = JSON.parse(text);
      this.lines.push(line);
      for (const { msg, resolve } of this.#waiting) if (msg === line.msg) resolve(line);
    });
    this.ended = once(this.child, "close").then(([code]: (number | null)[]) => ({
      code: code ?? null,
      stderr: problems,
    }));
  }

  said(msg: string): Promise<Line> {
    const line = this.lines.find((one) => one.msg === msg);
    if (line !== undefined) return Promise.resolve(line);
    return new Promise((resolve) => this.#waiting.push({ msg, resolve }));
  }

  async call(runId: string): Promise<string | undefined> {
    const { address = "" } = await this.said("serving");
    const client = createClient(optimizer.OptimizerService, { target: address, unavailable: "OPTIMIZER_UNAVAILABLE" });
    try {
      return (await client.getRun(optimizer.GetRunRequest.fromPartial({ runId }))).run?.id;
    } finally {
      client.close();
    }
  }
}

test("SIGTERM lets the running call finish, drains, closes, and exits with 0", async () => {
  const tiny = new Tiny();
  const running = tiny.call("slow");
  await tiny.said("called");
  tiny.child.kill("SIGTERM");
  expect(await running).toBe("slow");
  expect((await tiny.ended).code).toBe(0);
  expect(tiny.lines.map(({ msg }) => msg).slice(-4)).toEqual(["not ready", "drained", "closed", "stopped"]);
});

test("a call that does not finish is cut off after the grace period", async () => {
  const tiny = new Tiny({ PROMPTPO_DRAIN_MS: "1" });
  const running = tiny.call("stuck");
  await tiny.said("called");
  tiny.child.kill("SIGINT");
  await expect(running).rejects.toMatchObject({ reason: "SHUTTING_DOWN" });
  expect((await tiny.ended).code).toBe(0);
});

test("a second signal ends the process at once", async () => {
  const tiny = new Tiny({ PROMPTPO_DRAIN_MS: "3600000" });
  tiny.call("stuck").catch(() => undefined);
  await tiny.said("called");
  tiny.child.kill("SIGTERM");
  await tiny.said("stopping");
  tiny.child.kill("SIGTERM");
  expect((await tiny.ended).code).toBe(1);
});

test("the end of the parent's pipe stops a service that was told to die with it", async () => {
  const tiny = new Tiny({ PROMPTPO_DIE_WITH_PARENT: "1" });
  await tiny.said("serving");
  tiny.child.stdin?.end();
  expect((await tiny.ended).code).toBe(0);
});

test("SIGTERM while the service still waits for something ends it with 0", async () => {
  const tiny = new Tiny({ TINY_BUILD: "waits" });
  await tiny.said("building");
  tiny.child.kill("SIGTERM");
  expect((await tiny.ended).code).toBe(0);
});

test("SIGTERM twice ends a build that hears nothing", async () => {
  const tiny = new Tiny({ TINY_BUILD: "hangs" });
  await tiny.said("building");
  tiny.child.kill("SIGTERM");
  await tiny.said("stopping");
  tiny.child.kill("SIGTERM");
  expect((await tiny.ended).code).toBe(1);
});

test("an unusable configuration names every problem and exits with 2", async () => {
  const tiny = new Tiny({ PROMPTPO_LISTEN: "here", TINY_BUILD: "maybe", PROMPTPO_TLS_CERT: "/nowhere.pem" });
  const { code, stderr } = await tiny.ended;
  expect(code).toBe(2);
  expect(stderr).toContain("PROMPTPO_LISTEN (environment): must be host:port");
  expect(stderr).toContain("TINY_BUILD");
  const half = await new Tiny({ PROMPTPO_TLS_CERT: "/nowhere.pem" }).ended;
  expect(half.code).toBe(2);
  expect(half.stderr).toContain("PROMPTPO_TLS_KEY");
});

test("a build that fails, a port that is taken and a fault that nobody caught end with 1 and a line that says why", async () => {
  const failing = new Tiny({ TINY_BUILD: "fails" });
  expect((await failing.ended).code).toBe(1);
  expect(failing.lines.at(-1)).toMatchObject({ level: "fatal", err: { message: "no room on the disk" } });

  const first = new Tiny();
  const { address = "" } = await first.said("serving");
  const second = new Tiny({ PROMPTPO_LISTEN: address });
  expect((await second.ended).code).toBe(1);
  expect(second.lines.at(-1)?.err?.message).toContain(address);

  await first.call("crash").catch(() => undefined);
  expect((await first.ended).code).toBe(1);
  expect(first.lines.at(-1)).toMatchObject({ level: "fatal", err: { message: "nobody caught this" } });
});

test("the HTTP listener shows the process's and the calls' metrics", async () => {
  const tiny = new Tiny();
  const { metricsAddress } = await tiny.said("serving");
  await tiny.call("r-1");
  const text = await (await fetch(`http://${metricsAddress}/metrics`)).text();
  expect(text).toContain("process_cpu_seconds_total");
  expect(text).toContain(
    'grpc_server_handled_total{grpc_service="promptpo.optimizer.v1.Optimizer",grpc_method="GetRun",grpc_type="unary",grpc_code="OK"} 1',
  );
});
