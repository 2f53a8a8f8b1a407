import fc from "fast-check";
import { expect, test } from "vitest";
import { BoundedLabel } from "./bounded-label.ts";

test("the first names keep themselves for ever, and there is never more than one word for the rest", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5 }), fc.array(fc.string({ maxLength: 2 })), (most, names) => {
      const label = new BoundedLabel(most);
      const shown = names.map((name) => label.of(name));
      expect(new Set(shown).size).toBeLessThanOrEqual(most + 1);
      const first = [...new Set(names)].slice(0, most);
      expect(shown).toEqual(names.map((name) => (first.includes(name) ? name : "other")));
    }),
  );
});
