// A real fleet for a bench: its own folder and database, the number of sidecars that a row names, the result cache off.
import { setTimeout as sleep } from "node:timers/promises";
import { type Fleet as Client, connect } from "@promptpo/client";
import { startFleet } from "@promptpo/fleet";
import { temporaryFolder } from "@promptpo/fleet/testing.ts";
import { say } from "./section.ts";

export interface BenchFleet extends AsyncDisposable {
  /** host:port of the rollout service. */
  readonly rollout: string;
  readonly client: Client;
  /** Of the rollout service, whose descendants the sidecars are. */
  readonly pid: number;
}

const START_MS = 120_000;

/** Resolves once all sidecars serve. */
export async function benchFleet(sidecars: number): Promise<BenchFleet> {
  say(`starting a fleet with ${sidecars} sidecar${sidecars === 1 ? "" : "s"} ...`);
  const fleet = await startFleet({
    folder: temporaryFolder("promptpo-bench"),
    purpose: "npm run bench",
    env: { ...process.env, DATABASE_URL: undefined, PROMPTPO_SIDECARS: String(sidecars) },
    settings: { rollout: { PROMPTPO_RESULT_CACHE: "off" } },
  });
  try {
    await untilServing(fleet.metrics.rollout, sidecars);
    const pid = fleet.pids()["rollout"];
    if (pid === undefined) throw new Error("the rollout service does not run");
    const rollout = fleet.addresses.rollout;
    const client = connect({ rollout });
    return {
      ...{ rollout, client, pid },
      async [Symbol.asyncDispose]() {
        client.close();
        await fleet.stop();
      },
    };
  } catch (error) {
    await fleet.stop();
    throw error;
  }
}

/** The service is healthy with one sidecar; a row that says two means two. */
async function untilServing(metrics: string, sidecars: number): Promise<void> {
  const end = performance.now() + START_MS;
  for (;;) {
    const text = await (await fetch(`http://${metrics}/metrics`)).text();
    const serving = /^promptpo_rollout_sidecars\{state="serving"\} (\d+)$/m.exec(text)?.[1];
    if (serving !== undefined && Number(serving) >= sidecars) return;
    if (performance.now() > end)
      throw new Error(`${serving ?? "none"} of ${sidecars} sidecars serve after two minutes`);
    await sleep(100);
  }
}
