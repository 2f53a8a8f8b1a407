import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { expect, test } from "vitest";
import { processStart } from "../process-identity.mjs";
import { temporaryFolder } from "../testing.ts";
import { linkLibraries } from "./binaries.ts";
import { openCluster, spawnAs } from "./cluster.ts";
import { startEmbeddedPostgres } from "./server.ts";

/** Inserts until the connection breaks; returns the rows that the server acknowledged. */
async function insertUntilBroken(url: string, from: number, onFirst: () => void): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  let acknowledged = from;
  try {
    for (;;) {
      await client.query("insert into kept values ($1)", [acknowledged + 1]);
      acknowledged += 1;
      if (acknowledged === from + 50) onFirst();
    }
  } catch {
    return acknowledged;
  }
}

test("the server is killed under load, three times: every acknowledged row is there when it is back", async () => {
  await using server = await startEmbeddedPostgres({ folder: temporaryFolder("promptpo-kill") });
  await server.createDatabase("rows");
  const setup = new pg.Client({ connectionString: server.url("rows") });
  await setup.connect();
  await setup.query("create table kept (n int primary key)");
  await setup.end();
  let acknowledged = 0;
  for (let round = 0; round < 3; round++) {
    const pid = server.pid ?? 0;
    acknowledged = await insertUntilBroken(server.url("rows"), acknowledged, () => process.kill(pid, "SIGKILL"));
    while (server.pid === pid) await new Promise((resolve) => setTimeout(resolve, 5));
    await server.ready();
    const client = new pg.Client({ connectionString: server.url("rows") });
    await client.connect();
    const found = await client.query<{ n: number }>("select max(n)::int as n, count(*)::int as rows from kept");
    await client.end();
    const last = found.rows[0]?.n ?? 0;
    // The row in flight when it died may be there or not; nothing before it is missing.
    expect([acknowledged, acknowledged + 1]).toContain(last);
    expect(found.rows[0]).toMatchObject({ rows: last });
    acknowledged = last;
  }
});

test("a second owner of the folder is refused and told who holds it", async () => {
  const folder = temporaryFolder("promptpo-held");
  const script = `import { startEmbeddedPostgres } from ${JSON.stringify(new URL("./server.ts", import.meta.url).href)};
    const server = await startEmbeddedPostgres({ folder: ${JSON.stringify(folder)} });
    console.log(server.port);
    process.stdin.on("end", async () => { await server.stop(); }).resume();`;
  const owner = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    await once(owner.stdout, "data");
    await expect(startEmbeddedPostgres({ folder })).rejects.toThrow(`held by process ${owner.pid} since`);
  } finally {
    owner.stdin.end();
    await once(owner, "exit");
  }
  await using mine = await startEmbeddedPostgres({ folder });
  await mine.createDatabase("after");
});

test("an owner is killed: its database goes with it or is ended by the next owner, and its data is there", async () => {
  const folder = temporaryFolder("promptpo-orphan");
  const first = await startEmbeddedPostgres({ folder });
  await first.createDatabase("survives");
  await first.stop();
  // A server that nobody watches, as a killed owner leaves it where the kernel does not end it.
  const cluster = await openCluster(folder, undefined);
  const log = openSync(cluster.logFile, "a");
  const port = readFileSync(join(folder, "port"), "utf8").trim();
  const args = ["-D", cluster.dataFolder, "-c", `port=${port}`, "-c", "unix_socket_directories="];
  const orphan = spawnAs(cluster, cluster.binaries.postgres, args, { dieWithParent: false, output: log });
  closeSync(log);
  const pidFile = join(cluster.dataFolder, "postmaster.pid");
  const ready = () => {
    try {
      return readFileSync(pidFile, "utf8").includes("ready");
    } catch {
      return false;
    }
  };
  while (!ready()) await new Promise((resolve) => setTimeout(resolve, 10));
  const gone = once(orphan, "exit");
  await using second = await startEmbeddedPostgres({ folder });
  await gone;
  const client = new pg.Client({ connectionString: second.url("survives") });
  await client.connect();
  await client.end();
});

test("a pid file whose number belongs to a stranger ends nobody", async () => {
  const folder = temporaryFolder("promptpo-stale");
  const first = await startEmbeddedPostgres({ folder });
  await first.stop();
  const cluster = await openCluster(folder, undefined);
  const stranger = spawn("sleep", ["60"], { stdio: "ignore" });
  try {
    writeFileSync(join(cluster.dataFolder, "postmaster.pid"), `${stranger.pid}\n${cluster.dataFolder}\n`);
    await using second = await startEmbeddedPostgres({ folder });
    expect(second.pid).toBeGreaterThan(0);
    expect(processStart(stranger.pid ?? 0)).toBeDefined();
  } finally {
    stranger.kill();
  }
});

test("the data folder vanishes under a running server: it is told, the owner lives, and can stop", async () => {
  const folder = temporaryFolder("promptpo-vanished");
  const told = Promise.withResolvers<string>();
  const log = { info() {}, warn() {}, error: (_fields: object, message: string) => told.resolve(message) };
  const server = await startEmbeddedPostgres({ folder, log });
  const { pid } = server;
  rmSync(folder, { recursive: true });
  process.kill(pid ?? 0, "SIGKILL");
  expect(await told.promise).toMatch(/does not come up: its data folder .* is gone/);
  await server.stop();
});

test("the password is in a file of its owner alone and in nothing that others see", async () => {
  const folder = temporaryFolder("promptpo-password");
  await using server = await startEmbeddedPostgres({ folder });
  const file = join(folder, "password");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  const password = readFileSync(file, "utf8").trim();
  const commandLine = readFileSync(`/proc/${server.pid}/cmdline`, "utf8");
  expect(commandLine).toContain("listen_addresses=127.0.0.1");
  expect(commandLine + readFileSync(join(folder, "postgres.log"), "utf8")).not.toContain(password);
});

test("library links that an installer skipped are made, and made again without harm", () => {
  const home = join(temporaryFolder("promptpo-links"), "native");
  mkdirSync(join(home, "lib"), { recursive: true });
  writeFileSync(join(home, "lib", "libpq.so.5.18"), "");
  const link = { source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5" };
  writeFileSync(join(home, "pg-symlinks.json"), JSON.stringify([link]));
  linkLibraries(home);
  linkLibraries(home);
  expect(readlinkSync(join(home, "lib", "libpq.so.5"))).toBe("libpq.so.5.18");
});
