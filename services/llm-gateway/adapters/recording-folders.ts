/**
 * Recordings on disk: folders with one file an answer, named by place (`r1/c03/policy/0` is `r1_c03_policy_0.yaml`).
 *
 * All folders are read when the gateway starts. New answers go to the first, each written beside its name and moved, so
 * that a reader sees a whole file or none. A damaged file does not keep the gateway from starting: the calls that it would
 * have answered are told.
 */
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Logger } from "@promptpo/service-kit";
import { stringify } from "yaml";
import { z } from "zod";
import { RECORDING_VERSION } from "../core/keys.ts";
import type { Recordings } from "../core/ports.ts";
import type { DamagedFile, Library, Recorded } from "../core/recorded.ts";
import { decodeRecorded, encodeRecorded, readYaml } from "./recording-file.ts";

/** What a recording says of itself; further fields (settings of the run) are its maker's. */
const INDEX = "recording.yaml";
const PARTIAL = ".partial-";

export interface RecordingFoldersOptions {
  readonly mode: "off" | "record" | "replay";
  /** In order of preference; the first is written to. */
  readonly folders: readonly string[];
  readonly log: Logger;
}

/** Throws an Error that names the folder when one can not be read (mode replay) or made (mode record). */
export async function openRecordings(options: RecordingFoldersOptions): Promise<Recordings> {
  const { mode, folders, log } = options;
  const [target] = folders;
  const library = new FolderLibrary();
  if (mode !== "off") {
    if (target === undefined) throw new Error(`mode ${mode} needs a folder`);
    if (mode === "record") await mkdir(target, { recursive: true });
    for (const folder of folders) await readFolder(folder, library, mode === "record" && folder === target);
    for (const { path, why } of library.damaged()) log.error({ path, why }, "a file of the recording can not be used");
    log.info({ mode, folders, answers: library.all().length }, "recordings are read");
  }
  let writes = 0;
  return {
    mode,
    library,
    async write(recorded) {
      if (mode !== "record" || target === undefined) throw new Error("answers are only written in mode record");
      await writeIndexOnce(target, recorded);
      const path = join(target, fileNameOf(recorded));
      await writeWhole(path, encodeRecorded(recorded), `${process.pid}-${writes++}`);
      library.put(path, recorded);
    },
  };
}

/** Calls without a place are named by their key. */
export function fileNameOf({ place, key }: Pick<Recorded, "place" | "key">): string {
  return `${place === "" ? `key_${key}` : place.replaceAll("/", "_")}.yaml`;
}

class FolderLibrary implements Library {
  readonly #files = new Map<string, Recorded>();
  readonly #byKey = new Map<string, Recorded[]>();
  readonly #byPlace = new Map<string, Recorded[]>();
  readonly #damaged: DamagedFile[] = [];

  byKey(key: string): readonly Recorded[] {
    return this.#byKey.get(key) ?? [];
  }

  byPlace(place: string): readonly Recorded[] {
    return this.#byPlace.get(place) ?? [];
  }

  all(): readonly Recorded[] {
    return [...this.#files.values()];
  }

  damaged(): readonly DamagedFile[] {
    return this.#damaged;
  }

  put(path: string, recorded: Recorded): void {
    const old = this.#files.get(path);
    if (old !== undefined) {
      without(this.#byKey, old.key, old);
      without(this.#byPlace, old.place, old);
    }
    this.#files.set(path, recorded);
    this.#byKey.set(recorded.key, [...this.byKey(recorded.key), recorded]);
    this.#byPlace.set(recorded.place, [...this.byPlace(recorded.place), recorded]);
    const healed = this.#damaged.findIndex((damage) => damage.path === path);
    if (healed >= 0) this.#damaged.splice(healed, 1);
  }

  damage(file: DamagedFile): void {
    this.#damaged.push(file);
  }
}

function without(index: Map<string, Recorded[]>, key: string, recorded: Recorded): void {
  index.set(
    key,
    (index.get(key) ?? []).filter((other) => other !== recorded),
  );
}

async function readFolder(folder: string, library: FolderLibrary, ours: boolean): Promise<void> {
  const names = (await readdir(folder)).sort();
  for (const name of names) {
    const path = join(folder, name);
    // A crash left it; nobody else writes into a folder that is being recorded.
    if (ours && name.startsWith(PARTIAL)) await rm(path, { force: true });
    if (name.startsWith(".") || !name.endsWith(".yaml")) continue;
    try {
      const bytes = await readFile(path);
      if (name === INDEX) {
        checkIndex(readYaml(bytes));
        continue;
      }
      const recorded = decodeRecorded(bytes);
      if (fileNameOf(recorded) !== name)
        throw new Error(`the file of place ${recorded.place} is ${fileNameOf(recorded)}`);
      library.put(path, recorded);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      library.damage({ path, why, place: name === INDEX ? undefined : placeOfFile(name) });
    }
  }
}

/** Places hold no `_`, so the name gives the place back. */
function placeOfFile(name: string): string {
  return basename(name, ".yaml").replaceAll("_", "/");
}

function checkIndex(value: unknown): void {
  const known = z.object({ version: z.number() }).safeParse(value);
  if (!known.success) throw new Error("version: a number is needed");
  if (known.data.version !== RECORDING_VERSION) {
    throw new Error(`version ${known.data.version} is not ${RECORDING_VERSION}, which this gateway reads; record anew`);
  }
}

/** The first answer of a new recording also says what it is; what is there already is left alone. */
async function writeIndexOnce(folder: string, { model, date }: Recorded): Promise<void> {
  const content = stringify(
    { version: RECORDING_VERSION, model, date },
    { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN" },
  );
  try {
    const file = await open(join(folder, INDEX), "wx");
    await file.writeFile(content).finally(() => file.close());
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

async function writeWhole(path: string, content: string, unique: string): Promise<void> {
  const partial = join(path, "..", `${PARTIAL}${unique}`);
  const file = await open(partial, "w");
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, path);
}
