import { expect, test } from "vitest";
import { environmentFolders } from "./environment-folders.ts";

test("folders are meant from where the user is", () => {
  expect(environmentFolders("mine:../lab/b: :/abs", "/home/user/work")).toBe(
    "/home/user/work/mine:/home/user/lab/b:/abs",
  );
});

test("none stays none", () => {
  expect(environmentFolders(undefined, "/")).toBeUndefined();
  expect(environmentFolders(" : ", "/")).toBeUndefined();
});
