// Feedback summaries, videos and artifacts through the whole service, on a real database and fake sidecars.
import { rollout, sim, type types } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import { describe, expect, test } from "vitest";
import { type FakeBehaviour, fakeEpisode } from "./testing/fake-sidecar.ts";
import { collect, failureOf, metric } from "./testing/rollout-under-test.ts";
import { fake, gate, start } from "./testing/with-fakes.ts";

describe("summaries and videos", () => {
  const summarize =
    (calls: sim.SummarizeRequest[]): NonNullable<FakeBehaviour["summarize"]> =>
    async (request) => {
      calls.push(request);
      const all = request.resimulation?.seeds ?? request.trajectories.map(({ seed }) => seed);
      return sim.SummarizeResponse.fromPartial({
        summaries: all.map((seed) => ({ seed, text: `seed ${seed}` })),
        stepCount: BigInt(7 * all.length),
      });
    };
  const request = (more: Parameters<typeof rollout.SummarizeTrajectoriesRequest.fromPartial>[0] = {}) =>
    rollout.SummarizeTrajectoriesRequest.fromPartial({
      environment: "Fake-v0",
      feedbackSource: "class Feedback: ...",
      resimulation: { policySource: "class FakePolicy: ...", seeds: [1n, 2n] },
      ...more,
    });

  test("of a feedback program are made once for a request_id", async () => {
    const calls: sim.SummarizeRequest[] = [];
    const { client } = await start([{ summarize: summarize(calls) }]);
    const first = await client.summarizeTrajectories(request({ requestId: "r" }));
    expect(first.summaries.map(({ text }) => text)).toEqual(["seed 1", "seed 2"]);
    expect(first.stepCount).toBe(14n);
    expect(await client.summarizeTrajectories(request({ requestId: "r" }))).toEqual(first);
    // The episodes are shared out, each once.
    expect(calls.flatMap((call) => call.resimulation?.seeds ?? [])).toEqual([1n, 2n]);
    expect(calls[0]?.limits?.memoryBytes).toBe(2n ** 30n);
    const other = await failureOf(client.summarizeTrajectories(request({ requestId: "r", variant: "other" })));
    expect(other.reason).toBe("REQUEST_ID_REUSED");
    const empty = await failureOf(client.summarizeTrajectories(request({ resimulation: undefined })));
    expect(empty).toMatchObject({ reason: "INVALID_ARGUMENT", violations: [{ field: "resimulation" }] });
  });

  test("are made from recorded trajectories too", async () => {
    const calls: sim.SummarizeRequest[] = [];
    const { client } = await start([{ summarize: summarize(calls) }]);
    const { episodes } = await collect(client.evaluatePolicy(fake({ seeds: [5n], capture: { all: true } })));
    const trajectories = episodes.flatMap(({ trajectory }) => trajectory ?? []);
    await client.summarizeTrajectories(request({ resimulation: undefined, trajectories }));
    expect(calls[0]?.trajectories.map(({ npz }) => npz.toString("latin1"))).toEqual(["PK\u0003\u0004 5 1"]);
  });

  test("that are asked for at the same time are made once", async () => {
    const door = gate();
    const calls: sim.SummarizeRequest[] = [];
    let renders = 0;
    const answer = summarize(calls);
    const { client } = await start([
      {
        summarize: async (asked, context) => {
          await door.pass(context.signal);
          return answer(asked, context);
        },
        render: async function* (_request, context) {
          renders += 1;
          await door.pass(context.signal);
          yield { part: { $case: "data", value: Buffer.from("video") } };
          yield sim.RenderResponse.fromPartial({ part: { $case: "summary", value: { frameCount: 1n } } });
        },
      },
    ]);
    const one = request({ requestId: "r", resimulation: { policySource: "class FakePolicy: ...", seeds: [1n] } });
    const video = rollout.RenderEpisodeRequest.fromPartial({ environment: "Fake-v0", policySource: "", seed: 4n });
    const leave = new AbortController();
    const left = failureOf(client.summarizeTrajectories(one, { signal: leave.signal }));
    await door.reached;
    const summaries = [client.summarizeTrajectories(one), client.summarizeTrajectories(one)];
    const videos = [client.renderEpisode(video), client.renderEpisode(video)];
    // All have arrived once a later call is answered.
    await client.listEnvironments(rollout.ListEnvironmentsRequest.create());
    leave.abort();
    expect((await left).reason).toBe("CANCELLED");
    door.open();
    const [first, second] = await Promise.all(summaries);
    expect(second).toEqual(first);
    const [shown, again] = await Promise.all(videos);
    expect(again).toEqual(shown);
    expect([calls.length, renders]).toEqual([1, 1]);
  });

  test("of an episode come as an artifact, drawn at a stride of our choice", async () => {
    const mp4 = Buffer.concat([Buffer.from("\0\0\0\u0018ftypisom", "latin1"), Buffer.alloc(700_000, 7)]);
    let asked: rollout.RenderEpisodeRequest | undefined;
    const render: FakeBehaviour["render"] = async function* ({ request: inner }) {
      asked = inner;
      yield { part: { $case: "data", value: mp4.subarray(0, 1_000) } };
      yield { part: { $case: "data", value: mp4.subarray(1_000) } };
      yield sim.RenderResponse.fromPartial({
        part: { $case: "summary", value: { episode: fakeEpisode(4n), frameCount: 9n } },
      });
    };
    const { client } = await start([{ render, horizon: 1_000 }]);
    const video = await client.renderEpisode(
      rollout.RenderEpisodeRequest.fromPartial({ environment: "Fake-v0", policySource: "", seed: 4n }),
    );
    expect(asked).toMatchObject({ stride: 8, limits: { memoryBytes: 2n ** 30n } });
    expect(video).toMatchObject({ frameCount: 9n, episode: fakeEpisode(4n), video: { mediaType: "video/mp4" } });
    const pieces: Buffer[] = [];
    let artifact: types.ArtifactRef | undefined;
    for await (const part of client.getArtifact(
      rollout.GetArtifactRequest.fromPartial({ sha256: video.video?.sha256 ?? "", offset: 3n }),
    )) {
      artifact ??= part.artifact;
      pieces.push(part.data);
      expect(part.data.length).toBeLessThanOrEqual(256 * 1_024);
    }
    expect(artifact).toEqual(video.video);
    expect(Buffer.concat(pieces).equals(mp4.subarray(3))).toBe(true);
  });

  test("are refused with the sidecar's reason where the environment cannot be drawn", async () => {
    const render: FakeBehaviour["render"] = () => {
      throw new FleetError("RENDERING_UNAVAILABLE", "libOSMesa is missing");
    };
    const { client, metrics } = await start([{ render }]);
    const error = await failureOf(
      client.renderEpisode(rollout.RenderEpisodeRequest.fromPartial({ environment: "Fake-v0" })),
    );
    expect(error).toMatchObject({ reason: "RENDERING_UNAVAILABLE", message: "libOSMesa is missing" });
    expect(await metric(metrics, "promptpo_rollout_sidecar_restarts_total")).toBe(0);
  });
});
