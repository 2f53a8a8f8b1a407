// The other half of this comparison is python/promptpo/golden_tests/test_golden.py, over the same files.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { goldenFolder, goldens } from "./golden.ts";
import { messageType } from "./message-types.ts";
import { bytesOfProtoJson, toProtoJson } from "./proto-json.ts";

describe.each(goldens())("$name", ({ typeName, json, bytesUrl }) => {
  const type = messageType(typeName);
  const bytes = readFileSync(bytesUrl);

  it("is decoded and encoded to the same bytes", () => {
    expect(Buffer.from(type.encode(type.decode(bytes)).finish())).toEqual(bytes);
  });

  it("has the JSON that is written down", () => {
    expect(toProtoJson(type, type.decode(bytes))).toEqual(json);
  });

  it("is what its JSON stands for", () => {
    expect(Buffer.from(bytesOfProtoJson(typeName, json))).toEqual(bytes);
  });
});

describe("the golden folder", () => {
  it("has messages of every package, and bytes for every message", () => {
    const all = goldens();
    for (const name of ["types", "llm", "rollout", "optimizer", "sim"]) {
      expect(all.some(({ typeName }) => typeName.startsWith(`promptpo.${name}.v1.`))).toBe(true);
    }
    const bytes = readdirSync(goldenFolder).filter((file) => file.endsWith(".binpb"));
    expect(new Set(bytes)).toEqual(new Set(all.map(({ name }) => `${name}.binpb`)));
  });
});
