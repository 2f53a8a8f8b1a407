// The golden messages of ../golden, read by the tests of both languages: `<type name>[.<case>].json` is the canonical proto
// JSON, written by hand; the `.binpb` beside it are the wire bytes, written by write-golden.ts.
import { readdirSync, readFileSync } from "node:fs";
import type { Json } from "./canonical.ts";

export const goldenFolder = new URL("../golden/", import.meta.url);

export interface Golden {
  /** File name without its ending. */
  readonly name: string;
  /** Full name of the message's type. */
  readonly typeName: string;
  readonly json: Json;
  /** Where the wire bytes lie. */
  readonly bytesUrl: URL;
}

export function goldens(): Golden[] {
  return readdirSync(goldenFolder)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => {
      const name = file.slice(0, -".json".length);
      // A type's name begins with a capital, a case's with a small letter.
      const typeName = name.replace(/(\.[A-Z]\w*)\.[a-z_]+$/, "$1");
      const json: Json = JSON.parse(readFileSync(new URL(file, goldenFolder), "utf8"));
      return { name, typeName, json, bytesUrl: new URL(`${name}.binpb`, goldenFolder) };
    });
}
