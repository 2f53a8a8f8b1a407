// Three projects: `unit` is quick and needs no server, `services` starts real parts of one package, `fleet` crosses services.
import { defineConfig } from "vitest/config";

const common = {
  pool: "forks",
  testTimeout: 60_000,
  hookTimeout: 60_000,
  restoreMocks: true,
  setupFiles: ["scripts/property-seed.ts"],
};
/** Real processes on two busy cores; nothing waits by the clock, so this only ends what hangs. */
const slow = { testTimeout: 180_000, hookTimeout: 120_000 } as const;
/** One database server for a whole run; files that run alone start their own. */
const globalSetup = ["packages/fleet/src/testing-global-setup.ts"];
const real = ["packages/*/src/**/*.real.test.ts", "services/**/*.real.test.ts"];

export default defineConfig({
  test: {
    // Two cores carry the tests, the simulators and Postgres together.
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...common,
          name: "unit",
          include: [
            "packages/*/src/**/*.test.ts",
            "services/**/*.test.ts",
            "scripts/**/*.test.ts",
            "deploy/**/*.test.ts",
            "bench/**/*.test.ts",
          ],
          exclude: ["**/node_modules/**", ...real],
        },
      },
      { test: { ...common, name: "services", globalSetup, include: [...real, "bin/**/*.test.ts"], ...slow } },
      {
        test: {
          ...common,
          name: "fleet",
          globalSetup,
          include: ["test/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
