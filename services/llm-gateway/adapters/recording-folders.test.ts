import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { types } from "@promptpo/contracts";
import { silentLogger } from "@promptpo/service-kit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Recorded } from "../core/recorded.ts";
import { callFor } from "../testing/calls.ts";
import { openRecordings } from "./recording-folders.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "recording-"));
});
afterEach(() => rm(folder, { recursive: true }));

const log = silentLogger();
const open = (mode: "record" | "replay", ...folders: string[]) => openRecordings({ mode, folders, log });

function recorded(prompt: string, answer: string, place = "r0/all/feedback/0"): Recorded {
  const call = callFor(prompt, { place });
  return {
    key: call.recordingKey,
    place,
    model: "model-a",
    date: "2026-11-02",
    messages: call.messages,
    parameters: call.parameters,
    finish: "stop",
    answer,
    usage: types.Usage.fromPartial({ promptTokens: 1n, completionTokens: 2n }),
  };
}

test("what is recorded is found again, in the same order and the same bytes", async () => {
  const into = join(folder, "new", "demo");
  const recording = await open("record", into);
  const entries = [recorded("p", "a"), recorded("q", "b", "r1/c00/policy/0"), recorded("outside", "c", "")];
  for (const entry of entries) await recording.write(entry);
  expect((await readdir(into)).sort()).toEqual(
    [`key_${entries[2]?.key}.yaml`, "r0_all_feedback_0.yaml", "r1_c00_policy_0.yaml", "recording.yaml"].sort(),
  );
  const replay = await open("replay", into);
  for (const entry of entries) expect(replay.library.byKey(entry.key)).toEqual([entry]);
  expect(replay.library.damaged()).toEqual([]);
  expect(await readFile(join(into, "recording.yaml"), "utf8")).toBe(
    'version: 1\nmodel: "model-a"\ndate: "2026-11-02"\n',
  );
});

test("a second prompt at one place replaces the first, on disk and in memory", async () => {
  const recording = await open("record", folder);
  await recording.write(recorded("old", "a"));
  await recording.write(recorded("new", "b"));
  for (const { library } of [recording, await open("replay", folder)]) {
    expect(library.byPlace("r0/all/feedback/0").map(({ answer }) => answer)).toEqual(["b"]);
    expect(library.byKey(recorded("old", "a").key)).toEqual([]);
  }
});

test("several folders are read in order, and the same place may be in both", async () => {
  const [one, two] = [join(folder, "one"), join(folder, "two")];
  await (await open("record", one)).write(recorded("p", "first"));
  await (await open("record", two)).write(recorded("p", "second"));
  const { library } = await open("replay", two, one);
  expect(library.byPlace("r0/all/feedback/0").map(({ answer }) => answer)).toEqual(["second", "first"]);
});

describe("files that can not be used", () => {
  test("are known by path, reason and place, and do not hide the others", async () => {
    const recording = await open("record", folder);
    await recording.write(recorded("p", "a"));
    await recording.write(recorded("q", "b", "r1/c00/policy/0"));
    const path = join(folder, "r1_c00_policy_0.yaml");
    await writeFile(path, (await readFile(path, "utf8")).replace("content: |-\n      q", "content: |-\n      edited"));
    const { library } = await open("replay", folder);
    expect(library.all().map(({ answer }) => answer)).toEqual(["a"]);
    expect(library.damaged()).toEqual([
      { path, place: "r1/c00/policy/0", why: expect.stringContaining("messages_sha256") },
    ]);
  });

  test("a file under another place's name is damaged", async () => {
    const recording = await open("record", folder);
    await recording.write(recorded("p", "a"));
    const content = await readFile(join(folder, "r0_all_feedback_0.yaml"));
    await writeFile(join(folder, "r9_all_feedback_0.yaml"), content);
    expect((await open("replay", folder)).library.damaged()).toMatchObject([{ place: "r9/all/feedback/0" }]);
  });

  test("a version that is not ours spoils the folder", async () => {
    await writeFile(join(folder, "recording.yaml"), "version: 99\n");
    expect((await open("replay", folder)).library.damaged()).toMatchObject([{ place: undefined }]);
  });

  test("what a crash left half written is not read, and cleared away by the next recording", async () => {
    await writeFile(join(folder, ".partial-1-0"), "half of");
    expect((await open("replay", folder)).library.damaged()).toEqual([]);
    await open("record", folder);
    expect(await readdir(folder)).toEqual([]);
  });
});

test("what the recording's maker wrote of it is left alone", async () => {
  const about = 'version: 1\nmodel: "x"\nabout: "the demo"\n';
  await writeFile(join(folder, "recording.yaml"), about);
  await (await open("record", folder)).write(recorded("p", "a"));
  expect(await readFile(join(folder, "recording.yaml"), "utf8")).toBe(about);
});

test("a folder that is not there is named", async () => {
  await expect(open("replay", join(folder, "missing"))).rejects.toThrow(/missing/);
});
