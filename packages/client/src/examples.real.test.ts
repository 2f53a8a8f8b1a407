// The TypeScript examples, as a stranger runs them: copied to a folder outside of the repository, against a real server.
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { optimizer } from "@promptpo/contracts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SmallFleet } from "./testing/small-fleet.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const lab = mkdtempSync(join(tmpdir(), "promptpo-example-"));
const servers = new SmallFleet();

beforeAll(async () => {
  cpSync(join(root, "examples/typescript"), lab, { recursive: true });
  mkdirSync(join(lab, "node_modules/@promptpo"), { recursive: true });
  symlinkSync(join(root, "packages/client"), join(lab, "node_modules/@promptpo/client"));
  await servers.start();
});
afterAll(async () => {
  await servers.stop();
  rmSync(lab, { recursive: true, force: true });
});

async function node(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { address } = servers;
  const env = {
    PATH: process.env["PATH"] ?? "",
    PROMPTPO_ROLLOUT: address,
    PROMPTPO_OPTIMIZER: address,
    PROMPTPO_GATEWAY: address,
  };
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, args, { cwd: lab, env })) };
  } catch (error) {
    if (error instanceof Error && "stdout" in error && "stderr" in error && "code" in error) {
      return { code: Number(error.code), stdout: String(error.stdout), stderr: String(error.stderr) };
    }
    throw error;
  }
}

test("evaluate.ts prints every episode and the mean", async () => {
  const { code, stdout, stderr } = await node("evaluate.ts", "NoiseWorld-0");
  expect(stderr).toBe("");
  expect(stdout.split("\n").slice(0, 2)).toEqual(["seed 0: return 0, 10 steps", `seed 1: return ${1 / 3}, 10 steps`]);
  expect(stdout).toContain("mean return");
  expect(code).toBe(0);
});

test("evaluate.ts shows a policy's failure as a result", async () => {
  writeFileSync(join(lab, "empty.py"), "");
  const { stdout, code } = await node("evaluate.ts", "NoiseWorld-0", "empty.py");
  expect(stdout).toContain("failed at step 0: no class");
  expect(code).toBe(0);
});

test("evaluate.ts says what is wrong with an environment's name", async () => {
  const { stderr, code } = await node("evaluate.ts", "NoiseWord-0");
  expect(stderr).toBe("UNKNOWN_ENVIRONMENT: no environment NoiseWord-0; did you mean NoiseWorld-0?\n");
  expect(code).toBe(1);
});

test("improve.ts watches its run to the end", async () => {
  const running = node("improve.ts", "NoiseWorld-0", "m-1");
  await servers.created();
  for (const state of [optimizer.RunState.RUN_STATE_RUNNING, optimizer.RunState.RUN_STATE_SUCCEEDED]) {
    servers.write("run-1", state);
  }
  const { stdout, stderr, code } = await running;
  expect(stderr).toBe("");
  expect(stdout).toContain("run-1 started\n1 r1/c00/policy/0: nothing");
  expect(stdout).toContain("RUN_STATE_SUCCEEDED");
  expect(code).toBe(0);
});
