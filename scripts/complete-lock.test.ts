import { expect, test } from "vitest";
import { missingEntries } from "./complete-lock.ts";

const tool = {
  version: "2.0.0",
  dev: true,
  optionalDependencies: { "@tool/linux-x64": "2.0.0", "@tool/linux-x64-musl": "2.0.0", "@tool/linux-aarch64": "2.0.0" },
};

test("builds that the registry did not serve are added with version and platform", () => {
  const packages = { "node_modules/tool": tool, "node_modules/@tool/linux-x64": { version: "2.0.0" } };
  expect(missingEntries({ packages })).toEqual({
    "node_modules/@tool/linux-x64-musl": {
      version: "2.0.0",
      dev: true,
      optional: true,
      cpu: ["x64"],
      libc: ["musl"],
      os: ["linux"],
    },
    "node_modules/@tool/linux-aarch64": { version: "2.0.0", dev: true, optional: true, cpu: ["arm64"], os: ["linux"] },
  });
});

test("a whole lock needs nothing, wherever its packages lie", () => {
  const packages = {
    "packages/one": { optionalDependencies: { plain: "1.0.0" } },
    "packages/one/node_modules/plain": { version: "1.0.0" },
    "node_modules/outer": { version: "1.0.0", optionalDependencies: { inner: "1.0.0", top: "1.0.0" } },
    "node_modules/outer/node_modules/inner": { version: "1.0.0" },
    "node_modules/top": { version: "1.0.0" },
  };
  expect(missingEntries({ packages })).toEqual({});
});
