import { rollout } from "@promptpo/contracts";
import { FleetError } from "@promptpo/service-kit/errors.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Catalogue } from "./catalogue.ts";

const environment = (id: string, family: string, variant = "", variants: string[] = []) =>
  rollout.Environment.fromPartial({ id, family, variant, variants, texts: { observation: `of ${id} ${variant}` } });
const catalogue = new Catalogue([
  environment("NoiseWorld-4", "noiseworld", "key_info", ["no_key_info", "key_info"]),
  environment("NoiseWorld-4", "noiseworld", "no_key_info", ["no_key_info", "key_info"]),
  environment("HalfCheetah-v5", "mujoco"),
  environment("button-press-v3", "metaworld"),
  environment("Hopper-v5", "mujoco"),
]);

function refusal(work: () => unknown): FleetError {
  try {
    work();
  } catch (error) {
    if (error instanceof FleetError) return error;
  }
  throw new Error("it was taken");
}

test("an empty variant is the first of the environment's own list", () => {
  expect(catalogue.find("NoiseWorld-4", "").variant).toBe("no_key_info");
  expect(catalogue.find("NoiseWorld-4", "key_info").texts?.observation).toBe("of NoiseWorld-4 key_info");
});

test("an unknown environment is answered with the nearest names, in the message and for programs", () => {
  const error = refusal(() => catalogue.find("halfcheetah", ""));
  expect(error).toMatchObject({ reason: "UNKNOWN_ENVIRONMENT", metadata: { nearest: "HalfCheetah-v5" } });
  expect(error.message).toContain("Did you mean HalfCheetah-v5?");
  expect(refusal(() => catalogue.find("zzzzzzzz", "")).metadata["nearest"]).toBe("");
});

test("an unknown variant is answered with the variants that there are", () => {
  const error = refusal(() => catalogue.find("NoiseWorld-4", "key-info"));
  expect(error).toMatchObject({ reason: "UNKNOWN_VARIANT" });
  expect(error.metadata["nearest"]?.split(",")[0]).toBe("key_info");
  expect(refusal(() => catalogue.find("Hopper-v5", "map")).message).toContain("it has no variants");
});

test("a list holds each id once, by family then id, without texts", () => {
  const { environments } = catalogue.list({ family: "", pageSize: 0, pageToken: "" });
  expect(environments.map(({ id }) => id)).toEqual(["button-press-v3", "HalfCheetah-v5", "Hopper-v5", "NoiseWorld-4"]);
  expect(environments.every(({ texts }) => texts === undefined)).toBe(true);
});

test("pages of any size put together are the whole list", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.constantFrom("", "mujoco"), (pageSize, family) => {
      const ids: string[] = [];
      let pageToken = "";
      do {
        const page = catalogue.list({ family, pageSize, pageToken });
        ids.push(...page.environments.map(({ id }) => id));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(ids).toEqual(catalogue.list({ family, pageSize: 0, pageToken: "" }).environments.map(({ id }) => id));
    }),
  );
});

test("a token of another list, a broken one and a negative size are refused", () => {
  const { nextPageToken } = catalogue.list({ family: "mujoco", pageSize: 1, pageToken: "" });
  for (const pageToken of [nextPageToken, "%%%"]) {
    expect(refusal(() => catalogue.list({ family: "", pageSize: 1, pageToken }))).toMatchObject({
      reason: "INVALID_PAGE",
    });
  }
  expect(refusal(() => catalogue.list({ family: "", pageSize: -1, pageToken: "" })).reason).toBe("INVALID_PAGE");
});
