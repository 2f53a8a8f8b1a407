// Lets a real Prometheus read a real service: `node deploy/prometheus/scrape.ts [PROMETHEUS]`.
// The program is the argument, else `prometheus` on PATH, else Debian's package, unpacked into a temporary folder (no root,
// nothing installed). Starts the gateway on a database of its own, calls it once, and asks Prometheus, configured by
// prometheus-loopback.yml, for the call. Exit code 0 when it is there. Needs the network only to fetch the package.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { llm } from "../../packages/contracts/src/index.ts";
import { freePort } from "../../packages/fleet/src/ports.ts";
import { freshDatabase } from "../../packages/fleet/src/testing.ts";
import { createClient } from "../../packages/service-kit/src/index.ts";

const WAIT_S = 60;
const QUERY = 'grpc_server_handled_total{service="llm-gateway",grpc_method="ListModels",grpc_code="OK"}';
const scratch = mkdtempSync(join(tmpdir(), "promptpo-prometheus-"));
const children: ChildProcess[] = [];

function program(): string {
  const [given] = process.argv.slice(2);
  if (given !== undefined) return given;
  if (spawnSync("prometheus", ["--version"]).status === 0) return "prometheus";
  const unpacked = join(scratch, "package");
  mkdirSync(unpacked);
  execFileSync("apt-get", ["download", "-q", "prometheus"], { cwd: unpacked, stdio: "ignore" });
  const [file] = readdirSync(unpacked);
  execFileSync("dpkg", ["-x", file ?? "", "."], { cwd: unpacked });
  return join(unpacked, "usr/bin/prometheus");
}

function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
  const child = spawn(command, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  const log: Buffer[] = [];
  child.stderr?.on("data", (piece: Buffer) => log.push(piece));
  child.once("exit", (code) => {
    if (code !== null && code !== 0) console.error(`${command} ended with ${code}:\n${Buffer.concat(log)}`);
  });
  children.push(child);
}

/** Asks again, four times a second, until there is an answer. */
async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (let turn = 0; turn < WAIT_S * 4; turn++) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined) return answer;
    await pause(250);
  }
  throw new Error(`${what}: not within ${WAIT_S} s`);
}

async function main(): Promise<void> {
  const prometheus = program();
  const version = execFileSync(prometheus, ["--version"], { encoding: "utf8" }).split("\n", 1)[0];
  await using database = await freshDatabase();
  const [grpc, metrics, web] = [await freePort(), await freePort(), await freePort()];
  start(process.execPath, [fileURLToPath(new URL("../../services/llm-gateway/main.ts", import.meta.url))], {
    ...process.env,
    DATABASE_URL: database.url,
    PROMPTPO_LISTEN: `127.0.0.1:${grpc}`,
    PROMPTPO_METRICS_LISTEN: `127.0.0.1:${metrics}`,
    PROMPTPO_LOG_LEVEL: "warn",
  });
  await until("the gateway is ready", async () =>
    (await fetch(`http://127.0.0.1:${metrics}/readyz`)).ok ? true : undefined,
  );
  const client = createClient(llm.LlmGatewayService, {
    target: `127.0.0.1:${grpc}`,
    unavailable: "GATEWAY_UNAVAILABLE",
  });
  await client.listModels(llm.ListModelsRequest.fromPartial({}));
  client.close();

  const config = join(scratch, "prometheus.yml");
  const shipped = readFileSync(new URL("prometheus-loopback.yml", import.meta.url), "utf8");
  // The shipped file but for the port, and for the pace: nobody waits five seconds here.
  writeFileSync(
    config,
    shipped.replace('"127.0.0.1:9464"', `"127.0.0.1:${metrics}"`).replace("5s", "1s").replace("4s", "1s"),
  );
  start(prometheus, [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(scratch, "data")}`,
    `--web.listen-address=127.0.0.1:${web}`,
  ]);
  const value = await until(`Prometheus knows ${QUERY}`, async () => {
    const response = await fetch(`http://127.0.0.1:${web}/api/v1/query?query=${encodeURIComponent(QUERY)}`);
    const found: { data?: { result?: { value?: [number, string] }[] } } = JSON.parse(await response.text());
    return found.data?.result?.[0]?.value?.[1];
  });
  console.log(`${version}\n${QUERY} = ${value}`);
}

try {
  await main();
} finally {
  for (const child of children) {
    if (child.exitCode === null && child.kill()) await new Promise((resolve) => child.once("exit", resolve));
  }
  rmSync(scratch, { recursive: true, force: true });
}
process.exit();
