/**
 * Artifacts as files of a folder, named by the sha-256 of their bytes.
 *
 * A file appears whole or not at all, also after a power cut: written beside, synced, renamed, folder synced. Bytes are
 * hashed again while they are read; a damaged file is never given out to its end.
 */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { sha256, types } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit";
import type { Artifacts } from "../handlers/ports.ts";

/** Small enough for a grpc message, large enough that the message's overhead does not count. */
const PIECE_BYTES = 256 * 1_024;

export class ArtifactFolder implements Artifacts {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async put(bytes: Uint8Array, mediaType: string): Promise<types.ArtifactRef> {
    const hash = sha256(bytes);
    const ref = types.ArtifactRef.create({ sha256: hash, sizeBytes: BigInt(bytes.length), mediaType });
    const path = this.#pathOf(hash);
    try {
      if (await intact(path, hash)) {
        await markUsed(path);
        return ref;
      }
      await mkdir(dirname(path), { recursive: true });
      await writeWhole(path, bytes);
    } catch (error) {
      throw new FleetError("ARTIFACTS_UNAVAILABLE", `artifact ${hash} can not be stored (${codeOf(error)})`, {
        cause: error,
      });
    }
    return ref;
  }

  async has(hash: string): Promise<boolean> {
    try {
      await access(this.#pathOf(hash));
      // Whoever asks is about to refer to it.
      await markUsed(this.#pathOf(hash));
      return true;
    } catch {
      return false;
    }
  }

  async describe(hash: string): Promise<types.ArtifactRef> {
    await using file = await this.#open(hash);
    const { size } = await file.stat();
    await markUsed(this.#pathOf(hash));
    const head = Buffer.alloc(16);
    await file.read(head, 0, head.length, 0);
    return types.ArtifactRef.create({ sha256: hash, sizeBytes: BigInt(size), mediaType: mediaTypeOf(head) });
  }

  async *read(hash: string, offset: number): AsyncGenerator<Buffer, void, void> {
    // Held open for the whole reading: a file that is removed meanwhile is still read to its end.
    await using file = await this.#open(hash);
    const digest = createHash("sha256");
    let position = 0;
    let held: Buffer | undefined;
    for await (const chunk of file.createReadStream({ highWaterMark: PIECE_BYTES, autoClose: false })) {
      const piece: Buffer = chunk;
      digest.update(piece);
      const skipped = Math.min(Math.max(0, offset - position), piece.length);
      position += piece.length;
      if (skipped === piece.length) continue;
      if (held !== undefined) yield held;
      held = piece.subarray(skipped);
    }
    if (digest.digest("hex") !== hash) {
      throw new FleetError(
        "ARTIFACT_DAMAGED",
        `the bytes stored as artifact ${hash} have another hash; make it anew (evaluate or render again)`,
        { metadata: { sha256: hash } },
      );
    }
    if (held !== undefined) yield held;
  }

  /** Hashes of artifacts that were neither stored nor asked for since then (milliseconds of the epoch), some at a time. */
  async *unusedSince(ms: number): AsyncGenerator<string[], void, void> {
    for (const name of await namesIn(this.#folder)) {
      if (!/^[0-9a-f]{2}$/.test(name)) continue;
      const folder = join(this.#folder, name);
      const old: string[] = [];
      for (const file of await namesIn(folder)) {
        if ((await usedAt(join(folder, file))) >= ms) continue;
        if (/^[0-9a-f]{64}$/.test(file)) old.push(file);
        // What a killed process was writing.
        else if (file.endsWith(".part")) await rm(join(folder, file), { force: true });
      }
      if (old.length > 0) yield old;
    }
  }

  /** Removes it unless it was used since; how many were removed. */
  async removeUnused(hash: string, ms: number): Promise<number> {
    const path = this.#pathOf(hash);
    if ((await usedAt(path)) >= ms) return 0;
    await rm(path, { force: true });
    return 1;
  }

  /** Two levels: a folder with a hundred thousand files is slow to list. */
  #pathOf(hash: string): string {
    return join(this.#folder, hash.slice(0, 2), hash);
  }

  async #open(hash: string) {
    try {
      return await open(this.#pathOf(hash), "r");
    } catch (error) {
      if (codeOf(error) === "ENOENT") {
        throw new FleetError("ARTIFACT_NOT_FOUND", `no artifact ${hash} is stored here`, {
          metadata: { sha256: hash },
        });
      }
      throw new FleetError("ARTIFACTS_UNAVAILABLE", `artifact ${hash} can not be read (${codeOf(error)})`, {
        cause: error,
      });
    }
  }
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const beside = `${path}.${randomUUID()}.part`;
  try {
    {
      await using file = await open(beside, "wx", 0o600);
      await file.writeFile(bytes);
      await file.sync();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await using folder = await open(dirname(path), "r");
  await folder.sync();
}

/** Whether the file is there with the right bytes; a damaged one is written anew. */
async function intact(path: string, hash: string): Promise<boolean> {
  const digest = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) digest.update(chunk);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
  return digest.digest("hex") === hash;
}

/** A file's time says when it was used last, so that what is in use is not removed as old. In a folder that can only be
 * read nothing is removed, and nothing is marked. */
async function markUsed(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}

/** Milliseconds of the epoch; infinite for a file that is gone. */
async function usedAt(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return Number.POSITIVE_INFINITY;
    throw error;
  }
}

/** Sorted; none where the folder is not there. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** From the bytes alone: the name holds nothing but the hash. */
function mediaTypeOf(head: Uint8Array): string {
  const text = Buffer.from(head).toString("latin1");
  if (text.slice(4, 8) === "ftyp") return "video/mp4";
  if (text.startsWith("PK\u0003\u0004")) return "application/x-npz";
  if (text.startsWith("PAR1")) return "application/vnd.apache.parquet";
  return "application/octet-stream";
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}
