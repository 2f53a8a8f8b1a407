import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ArtifactFolder } from "./artifact-folder.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "promptpo-artifacts-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function readAll(artifacts: ArtifactFolder, hash: string, offset = 0): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of artifacts.read(hash, offset)) pieces.push(piece);
  return Buffer.concat(pieces);
}

test("bytes come back from any offset, whatever their size, in pieces of 256 KiB at most", async () => {
  const artifacts = new ArtifactFolder(folder);
  for (const size of [0, 1, 256 * 1_024, 256 * 1_024 + 1, 1_000_000]) {
    const bytes = Buffer.alloc(size, size % 251);
    const { sha256, sizeBytes } = await artifacts.put(bytes, "application/octet-stream");
    expect(sizeBytes).toBe(BigInt(size));
    for (const offset of [0, 1, 256 * 1_024, size].filter((each) => each <= size)) {
      expect((await readAll(artifacts, sha256, offset)).equals(bytes.subarray(offset))).toBe(true);
    }
    for await (const piece of artifacts.read(sha256, 0)) expect(piece.length).toBeLessThanOrEqual(256 * 1_024);
  }
});

test("a damaged file is never given out whole, and storing the bytes again repairs it", async () => {
  const artifacts = new ArtifactFolder(folder);
  const bytes = Buffer.alloc(600_000, 1);
  const { sha256 } = await artifacts.put(bytes, "video/mp4");
  const path = join(folder, sha256.slice(0, 2), sha256);
  writeFileSync(path, Buffer.alloc(600_000, 2));
  let received = 0;
  const read = async () => {
    for await (const piece of artifacts.read(sha256, 0)) received += piece.length;
  };
  await expect(read()).rejects.toMatchObject({ reason: "ARTIFACT_DAMAGED", metadata: { sha256 } });
  expect(received).toBeLessThan(600_000);
  await artifacts.put(bytes, "video/mp4");
  expect((await readAll(artifacts, sha256)).equals(bytes)).toBe(true);
  // Nothing lies beside it.
  expect(readdirSync(join(folder, sha256.slice(0, 2)))).toEqual([sha256]);
});

test("what is not there is not found, and a folder that cannot be written says so", async () => {
  const artifacts = new ArtifactFolder(folder);
  await expect(artifacts.describe("0".repeat(64))).rejects.toMatchObject({ reason: "ARTIFACT_NOT_FOUND" });
  expect(await artifacts.has("0".repeat(64))).toBe(false);
  writeFileSync(join(folder, "file"), "");
  const blocked = new ArtifactFolder(join(folder, "file"));
  await expect(blocked.put(Buffer.from("x"), "text/plain")).rejects.toMatchObject({ reason: "ARTIFACTS_UNAVAILABLE" });
});

test("what was stored, asked for or read again is not old, and what is used meanwhile is not removed", async () => {
  const artifacts = new ArtifactFolder(folder);
  const long = new Date(0);
  const hashes: string[] = [];
  for (const word of ["stored", "asked for", "read", "left"]) {
    const { sha256 } = await artifacts.put(Buffer.from(word), "text/plain");
    utimesSync(join(folder, sha256.slice(0, 2), sha256), long, long);
    hashes.push(sha256);
  }
  const [, asked = "", read = "", left = ""] = hashes;
  const old = async () => {
    const found: string[] = [];
    for await (const some of artifacts.unusedSince(1_000)) found.push(...some);
    return found;
  };
  expect((await old()).sort()).toEqual(hashes.toSorted());
  await artifacts.put(Buffer.from("stored"), "text/plain");
  await artifacts.has(asked);
  await artifacts.describe(read);
  expect(await old()).toEqual([left]);
  expect([await artifacts.removeUnused(asked, 1_000), await artifacts.removeUnused(left, 1_000)]).toEqual([0, 1]);
  expect(await artifacts.removeUnused(left, 1_000)).toBe(0);
  expect([await artifacts.has(asked), await artifacts.has(left)]).toEqual([true, false]);
  expect(await new ArtifactFolder(join(folder, "none")).unusedSince(1_000).next()).toMatchObject({ done: true });
});

test("the kind of an artifact is read from its bytes", async () => {
  const artifacts = new ArtifactFolder(folder);
  const kinds = [
    ["\0\0\0\u0018ftypisom", "video/mp4"],
    ["PK\u0003\u0004rest", "application/x-npz"],
    ["PAR1rest", "application/vnd.apache.parquet"],
    ["", "application/octet-stream"],
  ] as const;
  for (const [head, mediaType] of kinds) {
    const { sha256 } = await artifacts.put(Buffer.from(head, "latin1"), mediaType);
    expect((await artifacts.describe(sha256)).mediaType).toBe(mediaType);
  }
});
