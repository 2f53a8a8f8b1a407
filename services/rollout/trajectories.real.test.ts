// Recorded trajectories in both formats: archives that numpy wrote, read back from Parquet by another reader.
import { execFileSync } from "node:child_process";
import { rollout, types } from "@promptpo/contracts";
import { freshDatabase } from "@promptpo/fleet/testing.ts";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { describe, expect, test } from "vitest";
import { TrajectoryFileFormats } from "./adapters/trajectory-files.ts";
import { readNpz, seedOfNpz } from "./core/npz.ts";
import { collect, evaluation, failureOf, startRollout } from "./testing/rollout-under-test.ts";
import { endsWithTest } from "./testing/with-fakes.ts";
import { python, realSidecars, wanderer } from "./testing/with-sidecars.ts";

const files = new TrajectoryFileFormats();

function numpy(program: string): Buffer {
  const source = `import io, sys\nimport numpy as np\nout = io.BytesIO()\n${program}\nsys.stdout.buffer.write(out.getvalue())\n`;
  return execFileSync(python, ["-c", source], { maxBuffer: 2 ** 26 });
}

function arrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

async function rowsOf(bytes: Uint8Array): Promise<Record<string, unknown>[]> {
  return parquetReadObjects({ file: arrayBuffer(bytes) });
}

function parquet(npz: Uint8Array, stride = 1): Uint8Array {
  return files.encode({ npz, seed: 7n, format: "PARQUET", stride }).bytes;
}

describe("a Parquet file", () => {
  test("has every number of the archive, whatever its dtype, to the last bit", async () => {
    const npz = numpy(`
arrays = {}
for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
    info = np.finfo(kind) if kind[0] == "f" else np.iinfo(kind)
    arrays[kind] = np.array([info.min, info.max, 0, 1], dtype=kind)
arrays["odd"] = np.array([0.1 + 0.2, -0.0, np.nan, np.inf])
arrays["half"] = np.array([2**-24, 2**-14, -0.1, 1.5], dtype="f2")
np.savez(out, action=np.zeros(4), reward=np.zeros(4), **arrays)`);
    const rows = await rowsOf(parquet(npz));
    const column = (name: string) => rows.map((row) => row[name]);
    const half = 2 ** 15 * (2 - 2 ** -10);
    const float = 2 ** 127 * (2 - 2 ** -23);
    expect(column("f2")).toEqual([-half, half, 0, 1]);
    expect(column("f4")).toEqual([-float, float, 0, 1]);
    expect(column("f8")).toEqual([-Number.MAX_VALUE, Number.MAX_VALUE, 0, 1]);
    expect(column("i1")).toEqual([-128, 127, 0, 1]);
    expect(column("i2")).toEqual([-32_768, 32_767, 0, 1]);
    expect(column("i4")).toEqual([-(2 ** 31), 2 ** 31 - 1, 0, 1]);
    expect(column("i8")).toEqual([-(2n ** 63n), 2n ** 63n - 1n, 0n, 1n]);
    expect(column("u1")).toEqual([0, 255, 0, 1]);
    expect(column("u2")).toEqual([0, 65_535, 0, 1]);
    expect(column("u4")).toEqual([0, 2 ** 32 - 1, 0, 1]);
    expect(column("u8")).toEqual([0n, 2n ** 64n - 1n, 0n, 1n]);
    expect(column("odd")).toEqual([0.1 + 0.2, -0, Number.NaN, Number.POSITIVE_INFINITY]);
    expect(column("half")).toEqual([2 ** -24, 2 ** -14, -(1 + 614 / 1_024) / 16, 1.5]);
  });

  test("has a row a step and a column a number, the step's own number first, and is the same each time", async () => {
    const npz = numpy(`
np.savez(out, vector=np.arange(12.0).reshape(3, 2, 2), goal=np.arange(3), action=np.ones((3, 1), "f4"),
         reward=np.array([0.5, 1.5, 2.5]), seed=np.array(2**40))`);
    expect([...readNpz(npz)].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ["vector", "<f8", [3, 2, 2]],
      ["goal", "<i8", [3]],
      ["action", "<f4", [3, 1]],
      ["reward", "<f8", [3]],
      ["seed", "<i8", []],
    ]);
    expect(seedOfNpz(npz)).toBe(2n ** 40n);
    const bytes = parquet(npz, 10);
    expect(Buffer.from(parquet(npz, 10)).equals(bytes)).toBe(true);
    const rows = await rowsOf(bytes);
    expect(Object.entries(rows[1] ?? {})).toEqual([
      ["step", 10n],
      ["vector_0", 4],
      ["vector_1", 5],
      ["vector_2", 6],
      ["vector_3", 7],
      ["goal", 1n],
      ["action_0", 1],
      ["reward", 1.5],
    ]);
    expect(rows).toHaveLength(3);
    const { key_value_metadata: more } = parquetMetadata(arrayBuffer(bytes));
    expect(more).toEqual([{ key: "seed", value: "7" }]);
  });

  test("keeps every column where names meet, and has all columns where no step was taken", async () => {
    const meeting = numpy(`
np.savez(out, step=np.array([5.0]), seed=np.array([6.0]), a=np.array([[1.0, 2.0]]), a_1=np.array([3.0]),
         action=np.array([0]), reward=np.array([0.0]))`);
    expect(await rowsOf(parquet(meeting))).toEqual([
      { step_: 0n, step: 5, seed: 6, a_0: 1, a_1: 2, a_1_: 3, action: 0n, reward: 0 },
    ]);
    const none = parquet(numpy(`np.savez(out, x=np.empty((0, 2)), action=np.empty((0, 1)), reward=np.empty(0))`));
    expect(await rowsOf(none)).toEqual([]);
    const { schema } = parquetMetadata(arrayBuffer(none));
    expect(schema.map(({ name }) => name)).toEqual(["trajectory", "step", "x_0", "x_1", "action_0", "reward"]);
  });
});

test("an evaluation records in the format that was asked for, and a feedback program takes its archive and its seed", async () => {
  const database = endsWithTest(await freshDatabase());
  const { client } = endsWithTest(await startRollout({ DATABASE_URL: database.url, ...realSidecars(1) }));
  const record = async (format: rollout.TrajectoryFormat) => {
    const request = evaluation({
      environment: "NoiseWorld-1",
      policySource: wanderer,
      seeds: [51n],
      capture: { all: true, stride: 3, format },
    });
    const { episodes } = await collect(client.evaluatePolicy(request));
    const artifact = episodes[0]?.trajectory ?? types.ArtifactRef.create();
    const pieces: Uint8Array[] = [];
    for await (const { data } of client.getArtifact({ sha256: artifact.sha256, offset: 0n })) pieces.push(data);
    return { artifact, bytes: Buffer.concat(pieces), episode: episodes[0] };
  };
  const npz = await record(rollout.TrajectoryFormat.TRAJECTORY_FORMAT_NPZ);
  const table = await record(rollout.TrajectoryFormat.TRAJECTORY_FORMAT_PARQUET);
  expect(npz.artifact.mediaType).toBe("application/x-npz");
  expect(table.artifact.mediaType).toBe("application/vnd.apache.parquet");
  expect(seedOfNpz(npz.bytes)).toBe(51n);
  expect(Buffer.from(parquet(npz.bytes, 3)).length).toBe(table.bytes.length - 1); // its seed has two digits
  const rows = await rowsOf(table.bytes);
  expect(rows.map((row) => row["step"])).toEqual(rows.map((_, row) => BigInt(3 * row)));
  expect(rows).toHaveLength(Math.ceil(Number(npz.episode?.length ?? 0n) / 3));
  const steps = readNpz(npz.bytes).get("action")?.data ?? new Uint8Array();
  const actions = new BigInt64Array(arrayBuffer(steps));
  expect(rows.map((row) => row["action"])).toEqual([...actions]);

  const summarize = (trajectory: types.ArtifactRef) =>
    client.summarizeTrajectories(
      rollout.SummarizeTrajectoriesRequest.fromPartial({
        environment: "NoiseWorld-1",
        feedbackSource: "class Feedback:\n    def summarize_trajectory(self, traj):\n        return str(len(traj))\n",
        trajectories: [trajectory],
      }),
    );
  expect((await summarize(npz.artifact)).summaries).toMatchObject([{ seed: 51n, text: String(rows.length) }]);
  expect(await failureOf(summarize(table.artifact))).toMatchObject({
    reason: "INVALID_ARGUMENT",
    violations: [{ field: "trajectories[0]" }],
  });
});
