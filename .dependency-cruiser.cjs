// Imports go one way: main -> handlers -> core; main -> adapters, store; core imports nothing but contracts and itself.
// Cycles are the linter's to find (noImportCycles): it can tell an import of types from one that loads a file.
const services = "^services/([^/]+)/";
module.exports = {
  forbidden: [
    {
      name: "core-is-pure",
      comment: "core/ is values in, values out: no I/O, no service-kit beyond its errors, no other room",
      severity: "error",
      from: { path: `${services}core/`, pathNot: "\\.test\\.ts$" },
      to: {
        pathNot: [
          `${services}core/`,
          "^packages/contracts/",
          "^packages/service-kit/src/(errors|errors\\.ts)",
          "^zod$",
          "node_modules/zod",
        ],
      },
    },
    {
      name: "handlers-know-no-store-or-adapter",
      comment: "handlers reach the world through ports that main hands them",
      severity: "error",
      from: { path: `${services}handlers/`, pathNot: "\\.test\\.ts$" },
      to: { path: `${services}(store|adapters)/`, dependencyTypesNot: ["type-only"] },
    },
    {
      name: "no-service-imports-another",
      severity: "error",
      from: { path: services },
      to: { path: services, pathNot: "^services/$1/" },
    },
    {
      name: "packages-know-no-service",
      severity: "error",
      from: { path: "^packages/" },
      to: { path: "^services/" },
    },
    {
      name: "sql-only-in-stores",
      comment: "only store/ and service-kit's postgres speak to the database",
      severity: "error",
      from: { path: "^services/", pathNot: ["/store/", "/main\\.ts$", "\\.test\\.ts$", "/testing/"] },
      to: { path: "node_modules/(pg|pg-boss)/", dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "/gen/" },
    // Sources are read through swc (a dev dependency): TypeScript 7 has no API that dependency-cruiser could use.
    tsPreCompilationDeps: false,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node"],
      extensions: [".ts", ".js", ".json"],
    },
  },
};
