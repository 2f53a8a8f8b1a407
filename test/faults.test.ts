// SIGKILL of one process after another in the middle of a run, each with its restart by the fleet: the run ends in the same
// canonical log as an undisturbed one, and no answer is paid for twice. Real fleets, real Postgres, real sidecars; only the
// model is scripted, because its answers have to be counted and held back.
import { join } from "node:path";
import { noiseWorldAnswers } from "@promptpo/cli/testing/scripted-model.ts";
import { connect, type optimizer, types } from "@promptpo/client";
import { type Fleet, startFleet } from "@promptpo/fleet";
import { temporaryFolder } from "@promptpo/fleet/testing.ts";
import { beforeAll, expect, test } from "vitest";
import { type HeldModel, heldModel } from "./testing/held-model.ts";
import { kill, type Victim } from "./testing/kill-targets.ts";

const MODEL = "scripted-1";
const CANDIDATES = 3;
/** Feedback program, three rounds of candidates, two reflections. */
const ANSWERS = 1 + 3 * CANDIDATES + 2;

interface Outcome {
  readonly run: optimizer.Run;
  readonly delivered: number;
}

/** A run on a fleet of its own; `harm` happens while all policies of the second round wait for their answers. */
async function runWith(harm: (fleet: Fleet, model: HeldModel) => Promise<void>): Promise<Outcome> {
  // The second round's prompts hold the first round's winner.
  const isSecondRound = (prompt: string) => prompt.startsWith("You write the policy") && prompt.includes("return 0");
  await using model = await heldModel(MODEL, noiseWorldAnswers, isSecondRound);
  await using fleet = await startFleet({
    folder: join(temporaryFolder("promptpo-faults"), "data"),
    purpose: "fault test",
    env: { PATH: process.env["PATH"], OPENAI_BASE_URL: model.baseUrl, OPENAI_API_KEY: "sk-test-of-faults-0123456789" },
    settings: { rollout: { PROMPTPO_SIDECARS: "2" } },
  });
  await using client = connect({ optimizer: fleet.addresses.optimizer, rollout: fleet.addresses.rollout });
  const { id } = await client.createRun(
    { environment: "NoiseWorld-0", model: MODEL, rounds: 3, candidates: CANDIDATES, heldoutSeeds: [1000n, 1001n] },
    { idempotencyKey: "the-run" },
  );
  const ended = (async () => {
    for await (const _ of client.watchRun(id)) {
      // Only the end matters here.
    }
  })();
  await model.held(CANDIDATES);
  await harm(fleet, model);
  model.release();
  await ended;
  return { run: await client.run(id), delivered: model.delivered() };
}

let undisturbed: Outcome;
beforeAll(async () => {
  undisturbed = await runWith(async () => {});
}, 120_000);

test("an undisturbed run improves, and asks for each answer once", () => {
  expect(undisturbed.delivered).toBe(ANSWERS);
  const [first, second] = undisturbed.run.rounds;
  expect(second?.winnerScore?.meanReturn).toBeGreaterThan(first?.winnerScore?.meanReturn ?? Number.NaN);
  expect(undisturbed.run.result?.heldoutScore?.episodes.map(({ seed }) => seed)).toEqual([1000n, 1001n]);
  expect(undisturbed.run.usage?.cost).toEqual(types.Cost.fromPartial({ known: false }));
});

const victims: readonly Victim[] = ["optimizer", "gateway", "rollout", "sidecars", "postgres"];
test.each(victims)("kill -9 of %s in the middle of a run changes nothing but time", async (victim) => {
  const { run, delivered } = await runWith(async (fleet, model) => {
    kill(fleet, victim);
    // The model must see that its callers are gone, or it would count answers that nobody took.
    if (victim === "gateway") await model.abandoned();
  });
  expect(run.digest).toBe(undisturbed.run.digest);
  expect(delivered).toBe(ANSWERS);
});
