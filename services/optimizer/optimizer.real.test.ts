// The optimizer's methods, on a real database, with real servers of its peers' contracts that answer from a script.
import { optimizer } from "@promptpo/contracts";
import { freshDatabase } from "@promptpo/fleet/testing.ts";
import type { FleetError } from "@promptpo/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { World } from "./core/testing/world.ts";
import { createRun, follow, getRun, type RunningOptimizer, startOptimizer } from "./testing/optimizer-fixture.ts";
import { gate, type ScriptedPeers, startScriptedPeers } from "./testing/scripted-peers.ts";

const { RunState, CandidateView } = optimizer;

const held = gate();
let service: RunningOptimizer;
let peers: ScriptedPeers;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  const database = stack.use(await freshDatabase());
  // Runs whose model is called "held" wait at their second round until the gate opens.
  peers = stack.use(
    await startScriptedPeers({
      world: new World({ seed: 1, raises: 0.3, brokenFeedback: 0.5 }),
      hold: (place, model) => (model === "held" && place.startsWith("r2/") ? held.opened : undefined),
      models: ["m", "held", "gpt-large"],
    }),
  );
  service = stack.use(await startOptimizer(database.url, peers));
});
afterAll(async () => {
  held.open();
  await stack.disposeAsync();
});

const failure = async (call: Promise<unknown>): Promise<FleetError> => {
  try {
    await call;
  } catch (error) {
    return error as FleetError;
  }
  throw new Error("the call succeeded");
};

/** Resolves once a run of the "held" model has come to its second round. */
async function heldRun(requestId: string): Promise<string> {
  const { run } = await createRun(service.client, { model: "held" }, { requestId });
  const runId = run?.id ?? "";
  for await (const { event } of service.client.watchRun({ runId, afterSequence: 0n }))
    if (event?.place === "r1/all/ended/0") break;
  await peers.untilAsked(`${runId}/r2/all/reflection/0`);
  return runId;
}

describe("a run", () => {
  it("goes from its creation to its result, and is shown as a whole", async () => {
    const { client } = service;
    const { run, estimate } = await createRun(client, {}, { displayName: "first" });
    expect(run).toMatchObject({ state: RunState.RUN_STATE_QUEUED, tenant: "default", displayName: "first" });
    expect(estimate).toMatchObject({ callCount: 12n, maxCallCount: 42n, steps: 500n });
    const runId = run?.id ?? "";
    expect(runId).toMatch(/^run-[0-9a-z]{10}$/);

    const events = await follow(client, runId);
    expect(events.map(({ sequence }) => Number(sequence))).toEqual(events.map((_, at) => at + 1));
    expect(events.at(-1)?.place).toBe("final/all/ended/0");
    const full = await getRun(client, runId);
    expect(full).toMatchObject({
      state: RunState.RUN_STATE_SUCCEEDED,
      displayName: "first",
      lastSequence: BigInt(events.length),
      round: 3,
      settings: { rounds: 3, maxRepairs: 3, strategy: "promptpo" },
    });
    expect(full.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(full.result?.heldoutScore?.episodes).toHaveLength(1);
    const mask = optimizer.GetRunRequest.fromPartial({ runId, readMask: ["display_name", "digest"] });
    expect((await client.getRun(mask)).run).toEqual(
      optimizer.Run.fromPartial({ displayName: "first", digest: full.digest }),
    );
  });

  it("asks its peers with the run's place, sample and limits", async () => {
    const { run } = await createRun(service.client, { seed: 7n, candidates: 2, sampling: { temperature: 0.5 } });
    const runId = run?.id ?? "";
    await follow(service.client, runId);
    const asked = peers.asked.requests.filter((request) => request.runId === runId);
    expect(asked.find(({ place }) => place === "r1/c01/policy/0")).toMatchObject({
      model: "m",
      requestId: `${runId}/r1/c01/policy/0`,
      sample: { namespace: "run-seed-7", index: 1n },
      sampling: { temperature: 0.5, topP: undefined },
      timeout: { seconds: 600n, nanos: 0 },
    });
    expect(asked.find(({ place }) => place === "r2/all/reflection/0")?.sample?.index).toBe(0n);
    const evaluations = peers.asked.evaluations.filter((request) => request.runId === runId);
    expect(evaluations.find(({ requestId }) => requestId === `${runId}/final/all/heldout/0`)?.seeds).toEqual([9n]);
    expect(evaluations[0]?.limits).toMatchObject({ actionCpu: { seconds: 2n }, memoryBytes: 2n ** 30n });
  });

  it("has rounds and candidates, with every prompt and answer where asked for", async () => {
    const { client } = service;
    const { run } = await createRun(client);
    const runId = run?.id ?? "";
    await follow(client, runId);
    const { rounds } = await client.listRounds({ runId, pageSize: 0, pageToken: "" });
    expect(rounds.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(rounds[0]?.reflection).toContain("Reflection at r2");

    const list = (filter: string, pageSize = 0, pageToken = "") =>
      client.listCandidates({ runId, filter, pageSize, pageToken, view: CandidateView.CANDIDATE_VIEW_BASIC });
    const first = await list("", 5);
    const second = await list("", 5, first.nextPageToken);
    const all = [...first.candidates, ...second.candidates];
    expect(all.map(({ id }) => id.slice(runId.length + 1))).toEqual([
      "r1/c00",
      "r1/c01",
      "r1/c02",
      "r2/c00",
      "r2/c01",
      "r2/c02",
      "r3/c00",
      "r3/c01",
      "r3/c02",
    ]);
    expect(second.nextPageToken).toBe("");
    expect((await list("round=2 AND state=SCORED")).candidates.every(({ round }) => round === 2)).toBe(true);

    const repaired = all.find(({ usage }) => (usage?.callCount ?? 0n) > 1n);
    const request = { candidateId: repaired?.id ?? "", view: CandidateView.CANDIDATE_VIEW_FULL };
    const { candidate } = await client.getCandidate(request);
    expect(candidate?.attempts.length).toBeGreaterThan(1);
    expect(candidate?.attempts[0]?.messages[0]?.content).toContain("class ToyPolicy");
    expect(candidate?.attempts[1]?.messages[0]?.content).toContain("## What failed");
    expect(candidate?.attempts[0]?.completion?.text).toContain("# raises");
    const sent = peers.asked.requests.find(
      ({ requestId }) => requestId === `${runId}/${candidate?.attempts[1]?.place}`,
    );
    expect(candidate?.attempts[1]?.messages).toEqual(sent?.messages);
  });

  it("counts in the domain's metrics", async () => {
    const { run } = await createRun(service.client, { rounds: 1 });
    await follow(service.client, run?.id ?? "");
    const text = await service.metrics.metrics();
    for (const sample of [
      /promptpo_runs\{state="SUCCEEDED"\} [1-9]/,
      /promptpo_command_seconds_count\{command="policy",outcome="stored"\} [1-9]/,
      /promptpo_tokens_total\{kind="prompt"\} [1-9]/,
      /promptpo_cost_micro_usd_total [1-9]/,
      /promptpo_environment_steps_total\{purpose="heldout"\} [1-9]/,
      /promptpo_rounds_total [1-9]/,
      /promptpo_runs_created_total [1-9]/,
    ])
      expect(text).toMatch(sample);
  });
});

describe("CreateRun", () => {
  it("gives back the same run for the same request id, and refuses it for other settings", async () => {
    const { client } = service;
    const [a, b] = await Promise.all([
      createRun(client, { rounds: 1 }, { requestId: "twice" }),
      createRun(client, { rounds: 1 }, { requestId: "twice" }),
    ]);
    expect(a.run?.id).toBe(b.run?.id);
    expect((await createRun(client, { rounds: 1 }, { requestId: "twice" })).run?.id).toBe(a.run?.id);
    expect(await failure(createRun(client, { rounds: 2 }, { requestId: "twice" }))).toMatchObject({
      reason: "REQUEST_ID_REUSED",
      metadata: { run: a.run?.id },
    });
  });

  it("estimates without writing anything when it is only to validate", async () => {
    const before = (await service.client.listRuns(optimizer.ListRunsRequest.fromPartial({}))).runs.length;
    const { run, estimate } = await createRun(service.client, { candidates: 10, rounds: 2 }, { validateOnly: true });
    expect(run).toMatchObject({ id: "", settings: { candidates: 10, maxFeedbackRepairs: 3 } });
    expect(estimate?.callCount).toBe(22n);
    expect((await service.client.listRuns(optimizer.ListRunsRequest.fromPartial({}))).runs).toHaveLength(before);
  });

  it.each([
    ["UNKNOWN_ENVIRONMENT", { environment: "toy-v1" }, /did you mean Toy-v0/],
    ["UNKNOWN_VARIANT", { variant: "nope" }, /nope/],
    ["UNKNOWN_MODEL", { model: "gpt-larg" }, /did you mean gpt-large\?/],
    ["INVALID_ARGUMENT", { environment: "" }, /settings.environment: name the environment/],
    ["INVALID_ARGUMENT", { rounds: 0, candidates: 0 }, /settings.rounds: must be a whole number.*and 1 more/],
  ] as const)("refuses with %s", async (reason, settings, message) => {
    const error = await failure(createRun(service.client, settings));
    expect(error.reason).toBe(reason);
    expect(error.message).toMatch(message);
  });
});

describe("CancelRun", () => {
  it("ends a run at once, stops what is under way, and may be asked again", async () => {
    const { client } = service;
    const runId = await heldRun("cancelled");
    const { run } = await client.cancelRun({ runId, reason: "enough" });
    expect(run).toMatchObject({
      state: RunState.RUN_STATE_CANCELLED,
      cause: "cancelled: enough",
      result: { round: 1 },
    });
    expect((await client.cancelRun({ runId, reason: "again" })).run).toMatchObject({ cause: "cancelled: enough" });
    expect((await follow(client, runId)).at(-1)?.place).toBe("final/all/ended/0");
    await peers.untilAbandoned(runId);
    expect(await failure(client.pauseRun({ runId, reason: "" }))).toMatchObject({ reason: "RUN_NOT_ACTIVE" });
  });
});

describe("PauseRun and ResumeRun", () => {
  it("stop asking for anything new, and go on", async () => {
    const { client } = service;
    const runId = await heldRun("paused");
    expect((await client.pauseRun({ runId, reason: "" })).run?.state).toBe(RunState.RUN_STATE_PAUSED);
    expect((await client.pauseRun({ runId, reason: "" })).run?.lastSequence).toBe(
      (await getRun(client, runId)).lastSequence,
    );
    held.open();
    // What is under way comes in; nothing is asked for on it.
    for await (const { event } of client.watchRun({ runId, afterSequence: 0n }))
      if (event?.place === "r2/all/reflection/0") break;
    expect(peers.asked.requests.some(({ requestId }) => requestId === `${runId}/r2/c00/policy/0`)).toBe(false);
    await client.resumeRun({ runId });
    expect((await follow(client, runId)).at(-1)?.place).toBe("final/all/ended/0");
    expect(await failure(client.resumeRun({ runId }))).toMatchObject({ reason: "RUN_NOT_ACTIVE" });
  });
});

describe("WatchRun", () => {
  it("goes on from a sequence number, with the run as it stood after each event", async () => {
    const { client } = service;
    const { run } = await createRun(client);
    const runId = run?.id ?? "";
    const all = await follow(client, runId);
    const rounds: number[] = [];
    let last: optimizer.Run | undefined;
    for await (const response of client.watchRun({ runId, afterSequence: 5n })) {
      if (response.event === undefined) continue;
      expect(response.run?.lastSequence).toBe(response.event.sequence);
      rounds.push(response.run?.round ?? 0);
      last = response.run;
    }
    expect(rounds).toHaveLength(all.length - 5);
    expect(rounds).toEqual([...rounds].sort());
    expect(last).toMatchObject({ state: RunState.RUN_STATE_SUCCEEDED, digest: "", result: { source: "" } });
    expect(await follow(client, runId, BigInt(all.length))).toEqual([]);
    expect(await failure(follow(client, runId, BigInt(all.length + 1)))).toMatchObject({ reason: "INVALID_CURSOR" });
  });
});

describe("ListRuns", () => {
  it("pages through the runs in both orders, filtered", async () => {
    const { client } = service;
    for (const displayName of ["a", "b", "c"]) await createRun(client, { rounds: 1, candidates: 1 }, { displayName });
    const list = (rest: Partial<optimizer.ListRunsRequest>) =>
      client.listRuns(optimizer.ListRunsRequest.fromPartial({ pageSize: 2, ...rest }));
    const everything = (await list({ pageSize: 500 })).runs.map(({ id }) => id);
    for (const [orderBy, expected] of [
      ["", everything],
      ["create_time", [...everything].reverse()],
    ] as const) {
      const seen: string[] = [];
      for (let pageToken = ""; ; ) {
        const page = await list({ orderBy, pageToken });
        seen.push(...page.runs.map(({ id }) => id));
        pageToken = page.nextPageToken;
        if (pageToken === "") break;
      }
      expect(seen).toEqual(expected);
    }
    const cancelled = await list({ filter: 'state=CANCELLED AND environment="Toy-v0"', pageSize: 500 });
    expect(cancelled.runs.every(({ state }) => state === RunState.RUN_STATE_CANCELLED)).toBe(true);
    expect((await list({ filter: "environment=Other" })).runs).toEqual([]);
    const { nextPageToken } = await list({});
    for (const rest of [
      { filter: "colour=red" },
      { filter: "state=LATE" },
      { filter: "state" },
      { orderBy: "name" },
      { pageToken: "zz" },
      { pageToken: nextPageToken, filter: "state=FAILED" },
      { pageSize: -1 },
    ])
      expect(await failure(list(rest))).toMatchObject({ reason: "INVALID_PAGE" });
  });
});

describe("what is not there", () => {
  it("is named", async () => {
    const { client } = service;
    const candidate = (candidateId: string) => client.getCandidate({ candidateId, view: 0 });
    expect(await failure(getRun(client, "run-none"))).toMatchObject({ reason: "UNKNOWN_RUN" });
    expect(await failure(getRun(client, ""))).toMatchObject({ reason: "UNKNOWN_RUN" });
    expect(await failure(candidate("x"))).toMatchObject({ reason: "UNKNOWN_CANDIDATE" });
    const { run } = await createRun(client, { rounds: 1, candidates: 1 });
    expect(await failure(candidate(`${run?.id}/r9/c00`))).toMatchObject({ reason: "UNKNOWN_CANDIDATE" });
    expect(await failure(client.deleteRun({ runId: run?.id ?? "" }))).toMatchObject({ reason: "UNIMPLEMENTED" });
  });

  it("is another tenant's run", async () => {
    await using database = await freshDatabase();
    const tokens = { alice: "alice-has-a-secret", bob: "bob-has-another-one" };
    const extra = { PROMPTPO_TOKENS: JSON.stringify(tokens) };
    await using guarded = await startOptimizer(database.url, peers, extra);
    const [alice, bob] = [guarded.as(tokens.alice), guarded.as(tokens.bob)];
    const { run } = await createRun(alice, { rounds: 1 }, { requestId: "mine" });
    const runId = run?.id ?? "";
    expect((await createRun(bob, { rounds: 1 }, { requestId: "mine" })).run?.id).not.toBe(runId);
    expect((await getRun(alice, runId)).tenant).toBe("alice");
    for (const call of [() => getRun(bob, runId), () => follow(bob, runId), () => bob.cancelRun({ runId, reason: "" })])
      expect(await failure(call())).toMatchObject({ reason: "UNKNOWN_RUN" });
    expect((await bob.listRuns(optimizer.ListRunsRequest.fromPartial({}))).runs).toHaveLength(1);
  });
});
