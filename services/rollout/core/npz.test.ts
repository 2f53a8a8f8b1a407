import fc from "fast-check";
import { expect, test } from "vitest";
import { readNpz, seedOfNpz } from "./npz.ts";

test("bytes that are no archive are refused and never read as one, however they are cut or changed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(() => readNpz(bytes)).toThrow();
      expect(seedOfNpz(bytes)).toBeUndefined();
    }),
  );
});
