import { expect, test } from "vitest";
import { environmentFolders } from "./environment-folders.ts";

test("folders are meant from where the user is", () => {
  expect(environmentFolders("mine:../lab/b: :/abs", "/lab/ada")).toBe("/lab/ada/mine:/lab/lab/b:/abs");
});

test("none stays none", () => {
  expect(environmentFolders(undefined, "/")).toBeUndefined();
  expect(environmentFolders(" : ", "/")).toBeUndefined();
});
