import fc from "fast-check";
import { expect, test } from "vitest";
import { agreeOnFingerprint } from "./agreement.ts";

const votes = (...digests: string[]) => digests.map((digest, sidecar) => ({ sidecar, digest }));

test("most sidecars decide; at a draw what is in use stays, else the first sidecar decides", () => {
  expect(agreeOnFingerprint([], "a")).toBeUndefined();
  expect(agreeOnFingerprint(votes("a", "b", "b"), "a")).toBe("b");
  expect(agreeOnFingerprint(votes("a", "b"), "b")).toBe("b");
  expect(agreeOnFingerprint(votes("a", "b"), undefined)).toBe("a");
  expect(agreeOnFingerprint(votes("a", "b"), "c")).toBe("a");
  expect(agreeOnFingerprint(votes("a", "b", "c", "c"), "b")).toBe("c");
});

test("the answer does not depend on who is asked first", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1 }),
      fc.option(fc.constantFrom("a", "b", "d")),
      (digests, inUse) => {
        const ballot = votes(...digests);
        const current = inUse ?? undefined;
        expect(agreeOnFingerprint(ballot.toReversed(), current)).toBe(agreeOnFingerprint(ballot, current));
      },
    ),
  );
});
