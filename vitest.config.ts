// One project for every TypeScript test; slow suites (real fleets, kills) live under test/ and run in the same command.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "services/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts", "bin/**/*.test.ts"],
    pool: "forks",
    // Two cores carry the tests, the simulators and Postgres together.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    restoreMocks: true,
  },
});
